# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every nginx of a host: what runs, from which configuration, as whom, and whether that is valid.

Running ones are found by their processes, stopped ones by their programs and units. OpenResty, Angie,
Tengine and freenginx are nginx here. Files are read where the master reads them, in its mount namespace.

Nothing is executed to learn the version and the build: both stand in the program file, since
ngx_show_version_info() in nginx's core/nginx.c prints string constants. Paths follow
ngx_process_options() there.

This module is private to the collection.
"""

import base64
import os
import re
import shlex
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _mount_sources as mount_sources
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_redact as redact
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _overlay
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "nginx"
ASKED = "/proc, the program file, the configuration files, nginx -t in a private overlay"

MAX_INSTANCES = 32
MAX_WORKERS = 1024
MAX_PROGRAM = 64 << 20
MAX_LOGS = 200
MAX_FORMAT = 4096
LOAD_SECONDS = 20.0
TEST_SECONDS = 20.0
TESTS_SECONDS = 60.0  # for those of all nginx: names that nobody resolves hold up each of them

PROGRAMS = (
    "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx", "/usr/bin/nginx", "/usr/local/nginx/sbin/nginx", "/opt/nginx/sbin/nginx",
    "/usr/local/openresty/nginx/sbin/nginx", "/opt/openresty/nginx/sbin/nginx", "/usr/sbin/angie", "/usr/local/angie/sbin/angie",
    "/usr/local/tengine/sbin/nginx", "/opt/tengine/sbin/nginx", "/usr/local/freenginx/sbin/nginx",
)
UNITS = ("nginx.service", "openresty.service", "angie.service", "tengine.service", "freenginx.service")
_NAMES = frozenset(("nginx", "openresty", "angie", "tengine", "freenginx"))

_PASSING = frozenset("stTvVh?")  # options of an nginx that does not stay

_TITLE = re.compile(r"(?:nginx|openresty|angie|tengine|freenginx): (master|worker) process ?(.*)", re.DOTALL)
_TITLE_OPTION = re.compile(r"(?:^| )-([cpge]) ?")
_VERSION = re.compile(rb"version: ([A-Za-z]{1,30}/[^\0\n]{1,200})\n")
_ARGUMENTS = re.compile(rb"configure arguments:([^\0\n]*)\n")
_SHOWN = ("Id", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "ExecStart")
_EXEC_START = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_OF_FILE = ("sha256", "size", "mtime", "ctime", "uid", "gid", "mode", "status", "truncated", "managed")
_SPECIAL_LOG = ("stderr", "syslog:", "memory:")


def collect(host, redactor, processes, test=True):
    """Return the `nginx` value of docs/architecture.md as a Partial; Unanswered (absent) without any nginx.

    processes is what _processes.scan() found; test says whether each configuration is tested.
    Beyond the contract a file has "error": {"text", "line"} | null, why nginx does not read on.
    """
    collector = _Collector(host, redactor, processes)
    instances = collector.instances()
    if not instances:
        raise evidence.Unanswered(evidence.ABSENT, "no nginx: no process, no program in the usual places, no unit")
    shown = collector.named(instances, [instance.show(test) for instance in instances])
    return evidence.Partial({"instances": shown}, collector.truncated, collector.hidden)


def find(host, redactor, processes):
    """Return the Instance of every nginx, running or stopped: for code that acts on one of them."""
    return _Collector(host, redactor, processes).instances()


def of(host, redactor, processes, program=None, conf_path=None):
    """Return [Instance] of what does not run, or runs elsewhere: of a program, or of each that is installed, with a configuration file, or its own."""
    collector = _Collector(host, redactor, processes)
    options = {"c": conf_path} if conf_path else {}
    return [Instance(collector, _Found(None, one, [one], options)) for one in ([program] if program else collector.installed())]


def parse_options(words):
    """Return {letter: value} of the words after the program name, as ngx_get_options() reads them.

    -c, -p, -g, -e and -s take a value, in the same word or the next; letters may be joined: "-tc FILE".
    """
    options, waiting = {}, None
    for word in words:
        if waiting:
            options[waiting], waiting = word, None
        elif word.startswith("-"):
            for index, letter in enumerate(word[1:], 2):
                if letter in "cpges":
                    if word[index:]:
                        options[letter] = word[index:]
                    else:
                        waiting = letter
                    break
                options[letter] = ""
    return options


def parse_title(rest):
    """Return (argv, options) of what follows "master process" in a title, whose words are joined by spaces."""
    options = {}
    found = list(_TITLE_OPTION.finditer(rest))
    for match, following in zip(found, found[1:] + [None]):
        end = following.start() if following else len(rest)
        options.setdefault(match.group(1), rest[match.end():end].strip())
    program = rest[:found[0].start()] if found else rest
    return [program.strip()] + [part for key, value in options.items() for part in ("-" + key, value)], options


def read_build(raw):
    """Return the value of `build` for the bytes of a program file. Raises Unanswered."""
    version, arguments = _VERSION.search(raw), _ARGUMENTS.search(raw)
    if version is None or arguments is None:
        raise evidence.Unanswered(evidence.ERROR, "the program file does not say its version and build")
    product, _slash, number = text.decode(version.group(1)).partition("/")
    try:
        words = shlex.split(text.decode(arguments.group(1)))
    except ValueError:
        words = text.decode(arguments.group(1)).split()
    said = dict(word.partition("=")[::2] for word in words)
    return {
        "version": text.harmless(number, 100),
        "product": text.harmless(product, 100),
        "arguments": [text.harmless(word, 1000) for word in words],
        "prefix": said.get("--prefix") or "/usr/local/nginx",
        "conf_path": said.get("--conf-path") or "conf/nginx.conf",
        "error_log_path": said.get("--error-log-path") or "logs/error.log",
        "http_log_path": said.get("--http-log-path") or "logs/access.log",
        "pid_path": said.get("--pid-path") or "logs/nginx.pid",
        "user": said.get("--user") or "nobody",
        "group": said.get("--group") or said.get("--user") or "nobody",
    }


class _Found:
    """One nginx before it is looked into: its master (Process or None), program, argv and options, its unit."""

    def __init__(self, master, program, argv, options, unit=None):
        self.master = master
        self.program = program
        self.argv = argv
        self.options = options
        self.unit = unit


class _Collector:
    def __init__(self, host, redactor, processes):
        self.host = host
        self.redactor = redactor
        self.processes = processes
        self.truncated = processes.truncated
        self.hidden = list(processes.hidden)
        self.tests_left = TESTS_SECONDS
        self.units = {}

    def instances(self):
        found = [one for one in self._running() if self._still_runs(one.master)]
        self.units = self._show_units([one.master.unit for one in found])
        found += self._stopped(found)
        if len(found) > MAX_INSTANCES:
            self.truncated = True
            self.hidden.append("{0} nginx found, {1} looked into".format(len(found), MAX_INSTANCES))
        return [Instance(self, one) for one in found[:MAX_INSTANCES]]

    @staticmethod
    def named(instances, shown):
        """Give each of the shown instances an id of its own."""
        ids = set()
        for instance, told in zip(instances, shown):
            if told["id"] in ids:
                told["id"] = next(name for name in instance.names_besides(told["id"]) if name not in ids)
            ids.add(told["id"])
        return shown

    def _running(self):
        """Return the masters: what is titled so, and an nginx without a title that no nginx started."""
        found = []
        for process in self.processes:
            title = _TITLE.match(process.argv[0]) if process.argv else None
            if title and title.group(1) == "master":
                argv, options = parse_title(" ".join([title.group(2)] + process.argv[1:]))
            elif title is None and process.program() in _NAMES and not self._is_nginx(process.ppid):
                argv, options = process.argv, parse_options(process.argv[1:])
                if _PASSING & set(options):
                    continue
            else:
                continue
            found.append(_Found(process, process.exe or argv[0], argv, options))
        return found

    def _still_runs(self, process):
        """Return whether a process is there since it was seen: in a restart it is not."""
        try:
            return self.host.exists("/proc/{0}".format(process.pid))
        except evidence.Unanswered:
            return True

    def _is_nginx(self, pid):
        parent = self.processes.get(pid)
        return parent is not None and parent.program() in _NAMES

    def _stopped(self, running):
        """Return what is installed and does not run, by its unit, or by its program when nothing runs at all."""
        held = {one.master.unit for one in running}
        found = []
        for name, unit in sorted(self.units.items()):
            if name not in held and unit["command"] and not self._runs_elsewhere(unit, running):
                argv = unit["command"]
                found.append(_Found(None, argv[0], argv, parse_options(argv[1:]), name))
        if running or found:
            return found
        return [_Found(None, program, [program], {}) for program in self.installed()]

    def installed(self):
        """Return the paths of the programs in the usual places, one for each real file."""
        found, seen = [], set()
        for program in PROGRAMS:
            try:
                if self.host.exists(program):
                    found.append(program)
            except evidence.Unanswered as error:
                self.hidden.append(error.why)
        return [one for one in found if not (self._real(one) in seen or seen.add(self._real(one)))]

    def _real(self, program):
        return os.path.realpath(self.host.path(program))

    def _runs_elsewhere(self, unit, running):
        """Return whether an nginx that runs outside of the unit is the one that the unit would start."""
        wanted = parse_options(unit["command"][1:])
        return any(
            not one.master.container and self._real(one.program) == self._real(unit["command"][0])
            and (one.options.get("c"), one.options.get("p")) == (wanted.get("c"), wanted.get("p"))
            for one in running
        )

    def _show_units(self, names):
        """Return {name: UNIT with "command"} of the loaded units among the usual names and names; {} without systemd."""
        names = sorted(set(UNITS) | {name for name in names if name.endswith(".service") and not name.startswith("-")})
        try:
            if not self.host.exists("/run/systemd/system"):
                return {}
            out = self.host.run(["systemctl", "show", "--no-pager", "-p", ",".join(_SHOWN), "--"] + names, timeout=5)
        except evidence.Unanswered as error:
            self.hidden.append("units: {0}".format(error.why))
            return {}
        if out.rc != 0:
            self.hidden.append("units: systemctl show ended with {0}: {1}".format(out.rc, text.harmless(text.decode(out.err), 200)))
        units = {}
        for block in text.decode(out.out).split("\n\n"):
            said = dict(line.partition("=")[::2] for line in block.splitlines())
            if said.get("LoadState") in ("loaded", "masked", "bad-setting", "error"):
                units[said.get("Id", "")] = _unit(said)
        return units


def _unit(said):
    command = _EXEC_START.search(said.get("ExecStart", ""))
    words = parse_title(command.group(1)) if command else ([], {})
    return {
        "name": text.harmless(said.get("Id", ""), 256),
        "active": said.get("ActiveState", ""),
        "sub": said.get("SubState", ""),
        "result": said.get("Result", ""),
        "enabled": said.get("UnitFileState", ""),
        "command": words[0],
    }


class Instance:
    """One nginx, and what its configuration says. Paths are str with surrogateescape, not yet harmless.

    master      _processes.Process, or None when it does not run
    program     its program file
    unit        {"name", "active", "sub", "result", "enabled", "command"} of its systemd unit, or None
    pid         the master where its files are in a mount namespace or root that is not ours, else None
    own_root    whether its root is not ours: a container
    build       answer with the value of `build`
    prefix, conf_path   absolute
    loaded      what _nginx_files.load() found; empty lists where nothing could be read: why (Unanswered) says it
    main        _Configuration
    """

    def __init__(self, collector, found):
        self.collector = collector
        self.host = collector.host
        self.redactor = collector.redactor
        self.found = found
        self.master = found.master
        self.options = found.options
        self.program = found.program
        self.unit = collector.units.get(found.unit or (found.master.unit if found.master else ""))
        self.pid = None
        self.own_root = False
        self._mounts = None
        if self.master is not None:
            self._where()
        self.build = evidence.ask(self.program, self._build)
        self.prefix, self.conf_path = self._paths(self.build["value"] or {})
        self.loaded, parsed, self.why = self._load(self.conf_path)
        self.main = _Configuration(self.loaded, parsed, self.options.get("g", ""))
        self.redaction = redact.Redaction(self.redactor, redact.needed_variables(self.main.texts()))
        # What is a secret is known once the files were gone through.
        self.shown_files = self._files()

    def _where(self):
        """Find out whether the master sees other files than we do."""
        try:
            self.own_root = not _inside.same_root(self.master.pid)
        except evidence.Unanswered as error:
            # Not allowed to look: it is ours, unless its control group says that a container holds it.
            self.collector.hidden.append("the root of nginx: {0}".format(error.why))
            self.own_root = bool(self.master.container)
            self.pid = self.master.pid if self.own_root else None
            return
        if self.own_root or self.master.mnt != self.collector.processes.mnt:
            self.pid = self.master.pid

    def names_besides(self, name):
        """Yield names that tell it from another nginx of a name. A container keeps its id when its nginx is started anew."""
        if self.master is None:
            yield "{0} ({1})".format(name, _shown(self.program))
            return
        if self.master.container:
            yield "{0} (container {1})".format(name, text.harmless(self.master.container[:12]))
        yield "{0} (pid {1})".format(name, self.master.pid)

    def show(self, test):
        """Return the shape of the contract; test says whether the configuration is tested."""
        said = self.build["value"] or {}
        return {
            "id": _shown(self.conf_path),
            "running": self.master is not None,
            "master": self._master(),
            "workers": self._workers(),
            "identity": self._identity(self.main, said),
            "groups_after_reload": self._groups_after_reload(said),
            "binary": _shown(self.program),
            "build": self.build,
            "conf_path": _shown(self.conf_path),
            "prefix": _shown(self.prefix),
            "page_size": os.sysconf("SC_PAGE_SIZE"),
            "files": self.shown_files or [_unread(self.conf_path, self.why)],
            "includes": [_include(include) for include in self.loaded["includes"]],
            "error_logs": self.error_logs(),
            "access_logs": self.access_logs(),
            "log_formats": self.main.log_formats(),
            "test": self._test() if test else evidence.no_answer("nginx -t", evidence.ABSENT, "not asked"),
            "unit": None if self.unit is None else {key: self.unit[key] for key in ("name", "active", "sub", "result", "enabled")},
        }

    def error_logs(self):
        """Return the error logs in the shape of the contract."""
        said = self.build["value"] or {}
        return self.main.error_logs(self.prefix, self.options.get("e") or said.get("error_log_path", ""), self.redactor)

    def _build(self):
        raw, truncated = self._read_program()
        if truncated:
            raise evidence.Unanswered(evidence.ERROR, "{0} is larger than {1} bytes".format(self.program, MAX_PROGRAM))
        return read_build(raw)

    def _read_program(self):
        if self.master is None:
            return self.host.read(self.program, MAX_PROGRAM)
        try:
            return self.host.read("/proc/{0}/exe".format(self.master.pid), MAX_PROGRAM)
        except evidence.Unanswered as error:
            if self.own_root or self.master.deleted or error.status != evidence.DENIED:
                raise
        # Without root the file is read by its name, which anyone may.
        program = self.program if self.program.startswith("/") else self.host.program(os.path.basename(self.program))
        return self.host.read(program, MAX_PROGRAM)

    def _paths(self, build):
        """Return (prefix, path of the configuration file), absolute; the usual ones when the build is not known."""
        prefix = self.options.get("p") or build.get("prefix", "/usr/local/nginx")
        prefix = os.path.normpath(os.path.join(self._folder(), prefix))
        conf_path = self.options.get("c") or build.get("conf_path", "/etc/nginx/nginx.conf")
        return prefix, os.path.normpath(os.path.join(prefix, conf_path))

    def _folder(self):
        if self.master is None:
            return "/"
        try:
            return self.host.link("/proc/{0}/cwd".format(self.master.pid))
        except evidence.Unanswered:
            return "/"

    def _load(self, conf_path):
        """Return (what _nginx_files.load() gives, {path: Text}, why there is nothing)."""
        parsed = {}
        folder = os.path.dirname(conf_path)
        try:
            if self.pid is None:
                loaded = _nginx_files.load(self.host, conf_path, folder, parsed)
            else:
                loaded = _inside.call(_load_there, (conf_path, folder), pid=self.pid, timeout=LOAD_SECONDS)
        except evidence.Unanswered as error:
            return {"files": [], "includes": [], "truncated": False, "hidden": [], "users": {}, "groups": {}}, {}, error
        for file in loaded["files"]:
            if "data" in file and file["path"] not in parsed:
                parsed[file["path"]] = nginx_text.read(base64.b64decode(file["data"]))
        self.collector.truncated = self.collector.truncated or loaded["truncated"]
        self.collector.hidden += loaded["hidden"]
        return loaded, parsed, None

    def _master(self):
        if self.master is None:
            return None
        return {
            "pid": self.master.pid,
            "started": self.master.started,
            "exe": _shown(self.master.exe),
            "argv": _processes.shown_argv(self.found.argv, self.redactor),
            "uid": self.master.uid,
            "net": self.master.net,
            "mnt": self.master.mnt,
            "unit": text.harmless(self.master.unit, 256),
            "container": text.harmless(self.master.container, 256),
            "own_root": self.own_root,
        }

    def live_workers(self):
        """Return [(Process, whether it is shutting down)] of the workers when the processes were looked at."""
        if self.master is None:
            return []
        workers = []
        for process in self.collector.processes.children(self.master.pid):
            title = _TITLE.match(process.argv[0]) if process.argv else None
            if title and title.group(1) == "worker":
                workers.append((process, "shutting down" in " ".join([title.group(2)] + process.argv[1:])))
        if not workers and not _TITLE.match(self.master.argv[0] if self.master.argv else ""):
            # master_process off: the one process does the work.
            workers.append((self.master, False))
        return workers

    def _workers(self):
        return [
            {
                "pid": process.pid, "started": process.started, "uid": process.uid, "gid": process.gid, "groups": process.groups,
                "net": process.net, "mnt": process.mnt, "shutting_down": leaving,
            }
            for process, leaving in self.live_workers()[:MAX_WORKERS]
        ]

    def _identity(self, main, build):
        """Return whom the workers run as: as they do, else as the configuration and then the build say."""
        for process, _leaving in sorted(self.live_workers(), key=lambda worker: worker[1]):
            name = next((user for user, ids in main.users.items() if ids[0] == process.uid), str(process.uid))
            return _identity(name, process.uid, process.gid, process.groups, "worker")
        if self.master is not None and self.master.uid != 0:
            name = next((user for user, ids in main.users.items() if ids[0] == self.master.uid), str(self.master.uid))
            return _identity(name, self.master.uid, self.master.gid, self.master.groups, "worker")
        return _account(main, build)

    def _groups_after_reload(self, build):
        """Return the ids of the groups that workers started now would have, as far as the files of accounts tell; none where nginx cannot set them.

        A worker calls initgroups(3) for the user of the configuration when it is started (ngx_worker_process_init() in os/unix/ngx_process_cycle.c).
        """
        if self.master is None or self.master.uid != 0:
            return []
        return _account(self.main, build)["groups"]

    def access_logs(self):
        """Return the access logs in the shape of the contract."""
        return self.main.access_logs(self.prefix, (self.build["value"] or {}).get("http_log_path", ""), self.redactor)

    def say(self, said):
        """Return what nginx said (str) about this configuration, harmless and without its secrets."""
        return text.harmless(self.redaction.say(said), 2000)

    def _files(self):
        """Return the files in the shape of the contract."""
        shown, main, redaction = [], self.main, self.redaction
        for file in main.files:
            path = file["path"]
            entry = {key: file.get(key) for key in _OF_FILE}
            entry.update(path=_shown(path), real_path=_shown(file["real_path"]), why=text.harmless(file["why"], 500), content="", error=None)
            source = self.source(file["real_path"])
            entry["source"] = None if source is None else {key: _shown(getattr(source, key)) for key in ("kind", "path", "why")}
            here = file["real_path"] if source is None else source.path
            entry["read_only"] = bool(here) and _is_read_only(self.host, here)
            parsed = main.parsed.get(path)
            if parsed is not None:
                raw = base64.b64decode(file["data"])
                content = redaction.file(raw, parsed, main.inside(path, redaction.needed))
                entry["content"] = base64.b64encode(content).decode("ascii")
                if parsed.error is not None:
                    entry["error"] = {"text": text.harmless(redaction.say(parsed.error.text), 500), "line": parsed.error.line}
            shown.append(entry)
        return shown

    def source(self, path):
        """Return the _mount_sources.Source of a real path where a container has it; None where it is a path of this host."""
        if not self.own_root:
            return None
        try:
            if self._mounts is None:
                self._mounts = mount_sources.Mounts(self.host, self.master.pid)
            return self._mounts.source(path)
        except evidence.Unanswered as error:
            return mount_sources.Source(mount_sources.ELSEWHERE, why="where it comes from cannot be seen: {0}".format(error.why))

    def _test(self):
        """Return the answer of nginx -t."""
        return evidence.ask("nginx -t in a private overlay", self._test_in_time)

    def _test_in_time(self):
        begin = time.monotonic()
        if self.collector.tests_left <= 0:
            raise evidence.Unanswered(evidence.TIMEOUT, "not tested: the time for the tests of all nginx was over")
        try:
            return self.test()
        finally:
            self.collector.tests_left -= time.monotonic() - begin

    def test(self, staged=None, plain=False, hidden=()):
        """Return what nginx -t says of the configuration, harmless and without secrets; staged and hidden as _overlay.test() has them.

        plain: without the overlay, as _overlay.test_plainly() does, of what is on disk. Raises Unanswered where that is not known.
        """
        program, pid = self.program, None
        identity = None
        if self.master is None:
            self._check_owner(program)
        else:
            # The program that would load the configuration at a reload, replaced on disk or not; /proc of a container does not lead to it for all.
            program, pid = self._program_inside() if self.own_root else "/proc/{0}/exe".format(self.master.pid), self.pid
            if self.master.uid != 0:
                identity = {"uid": self.master.uid, "gid": self.master.gid, "groups": self.master.groups}
        # -p may be relative to the master's working directory; the others are relative to -p.
        options = dict(self.options, p=self.prefix) if "p" in self.options else self.options
        argv = [program] + [part for key in "pcge" if key in options for part in ("-" + key, options[key])]
        for path, content in (staged or {}).items():
            self._mark(path, content or b"")
        if not plain:
            said = _overlay.test(
                argv, self.main.logs(self.prefix), pid=pid, identity=identity, timeout=TEST_SECONDS, staged=staged, hidden=hidden, caged=self.own_root)
        elif self.own_root:
            raise evidence.Unanswered(evidence.DENIED, "not tested: the program of a container is run in a private overlay only")
        else:
            said = _overlay.test_plainly(argv, pid=pid, identity=identity, timeout=TEST_SECONDS)
        for message in said["messages"]:
            message["text"] = self.say(message["text"])
            message["file"] = _shown(message["file"])
        return said

    def _program_inside(self):
        """Return the path by which the container has the program of its master. Raises Unanswered where another file is there by now."""
        if not self.program.startswith("/"):
            raise evidence.Unanswered(evidence.DENIED, "not tested: only root can see the program of a container")
        there, running = "/proc/{0}/root{1}".format(self.master.pid, self.program), "/proc/{0}/exe".format(self.master.pid)
        if not os.path.samestat(self.host.stat(there), self.host.stat(running)):
            raise evidence.Unanswered(evidence.DENIED, "not tested: {0} is not the program that runs any more".format(_shown(self.program)))
        return self.program

    def _mark(self, path, content):
        """Learn the secrets of a file that is not on disk yet."""
        kind = redact.DIRECTIVES
        for file in self.main.files:
            if path in (file["path"], file["real_path"]):
                kind = kind.stricter(self.main.inside(file["path"], self.redaction.needed))
        self.redaction.file(content, nginx_text.read(content), kind)

    def _check_owner(self, program):
        """Refuse to run, as root, a program that others than root can replace."""
        for path in (program, os.path.dirname(program)):
            status = self.host.stat(path)
            if status.st_uid != 0 or status.st_mode & 0o022:
                raise evidence.Unanswered(evidence.DENIED, "not tested: {0} can be changed by others than root".format(_shown(path)))


class _Configuration:
    """What the files of one configuration say about nginx as a whole."""

    def __init__(self, loaded, parsed, given):
        self.files = loaded["files"]
        self.parsed = parsed
        self.users = loaded["users"]
        self.groups = loaded["groups"]
        self.given = nginx_text.read(os.fsencode(given))
        self._uses = {}
        self._kinds = {}
        places = {(include["file"], include["line"]): include["matches"] for include in loaded["includes"]}
        for path, content in parsed.items():
            for statement, parents in content.walk():
                if statement.name == b"include":
                    for match in places.get((path, statement.line), ()):
                        self._uses.setdefault(match, []).append((path, parents))

    def texts(self):
        """Return the Text of every file that was read."""
        return list(self.parsed.values())

    def inside(self, path, needed):
        """Return how the statements of a file are to be read: as strictly as any of its includes says."""
        if path not in self._kinds:
            # Meanwhile, for a file that includes itself.
            self._kinds[path] = redact.DIRECTIVES
            kind = redact.DIRECTIVES
            for user, parents in self._uses.get(path, ()):
                kind = kind.stricter(redact.inside(parents, self.inside(user, needed), needed))
            self._kinds[path] = kind
        return self._kinds[path]

    def _at_top(self, path, seen=()):
        """Return whether the statements of a file stand in no block: the first file, and what it includes there."""
        if self.files and path == self.files[0]["path"]:
            return True
        return any(not parents and user not in seen and self._at_top(user, seen + (path,)) for user, parents in self._uses.get(path, ()))

    def _statements(self, name):
        """Yield (statement, parents, path or None) of each directive of a name; those of -g first."""
        for path, content in [(None, self.given)] + list(self.parsed.items()):
            for statement, parents in content.walk():
                if statement.name == name and len(statement.words) > 1:
                    yield statement, parents, path

    def logs(self, prefix):
        """Return the absolute paths of the logs that the configuration names."""
        words = [statement.args[0] for name in (b"error_log", b"access_log") for statement, _parents, _path in self._statements(name)]
        return sorted({os.path.normpath(os.path.join(prefix, os.fsdecode(word))) for word in words if b"$" not in word and b"\0" not in word})

    def user(self):
        """Return (user, group) of the `user` directive, or None."""
        for statement, parents, path in self._statements(b"user"):
            if not parents and (path is None or self._at_top(path)):
                words = [arg.decode("utf-8", "surrogateescape") for arg in statement.args]
                return words[0], words[1] if len(words) > 1 else words[0]
        return None

    def account(self, user, group, source):
        """Return the identity of a user and group by name; ids are null when the accounts do not know them."""
        uid = self.users.get(user, [None])[0]
        gid = self.groups.get(group, [None])[0]
        groups = sorted({number for number, members in self.groups.values() if user in members} | ({gid} if gid is not None else set()))
        return _identity(user, uid, gid, groups, source)

    def error_logs(self, prefix, default, redactor):
        """Return every error_log, and the default of the build when the main level sets none."""
        logs, at_main = [], False
        for statement, parents, path in self._statements(b"error_log"):
            words = [arg.decode("utf-8", "surrogateescape") for arg in statement.args]
            at_main = at_main or not parents and (path is None or self._at_top(path))
            logs.append(
                {
                    "path": _log_path(prefix, words[0], redactor), "level": text.harmless((words + ["error"])[1], 30), "at": _place(path, statement),
                    "block": "main" if not parents and (path is None or self._at_top(path)) else _block(path, parents),
                }
            )
        if not at_main and default:
            logs.append({"path": _log_path(prefix, default, redactor), "level": "error", "at": None, "block": "main"})
        return logs

    def access_logs(self, prefix, default, redactor):
        """Return every access_log of an http block that is on, and the default of the build when the http block sets none."""
        logs, at_http = [], False
        for statement, parents, path in self._statements(b"access_log"):
            blocks = self._enclosing(path, parents)
            if b"stream" in blocks:
                continue
            at_http = at_http or blocks[-1:] == (b"http",)
            words = [arg.decode("utf-8", "surrogateescape") for arg in statement.args]
            if words[0] == "off":
                continue
            logs.append(
                {
                    "path": _log_path(prefix, words[0], redactor),
                    "format": text.harmless(words[1], 100) if len(words) > 1 and "=" not in words[1] else "combined",
                    "some": any(word.startswith("if=") for word in words[1:]),
                    "names": [text.harmless(name, 255) for name in _server_names(parents)[:10]],
                    "at": _place(path, statement),
                }
            )
        if not at_http and default and any(b"http" in self._enclosing(path, parents) for _one, parents, path in self._statements(b"listen")):
            logs.append({"path": _log_path(prefix, default, redactor), "format": "combined", "some": False, "names": [], "at": None})
        return logs[:MAX_LOGS]

    def log_formats(self):
        """Return {name: text} of the log formats, each as one text; how a value is escaped changes nothing for who reads it."""
        formats = {}
        for statement, parents, path in self._statements(b"log_format"):
            words = [arg.decode("utf-8", "surrogateescape") for arg in statement.args]
            if len(words) < 2 or b"stream" in self._enclosing(path, parents):
                continue
            parts = words[2:] if words[1].startswith("escape=") else words[1:]
            formats.setdefault(text.harmless(words[0], 100), text.harmless("".join(parts).replace("\t", "\\t"), MAX_FORMAT))
        return formats

    def _enclosing(self, path, parents, seen=()):
        """Return the names of the blocks around a statement, outermost first, through includes."""
        inner = tuple(parent.name for parent in parents)
        if path is None or path in seen:
            return inner
        for user, outer in self._uses.get(path, ()):
            return self._enclosing(user, outer, seen + (path,)) + inner
        return inner


def _place(path, statement):
    return None if path is None else {"file": _shown(path), "line": statement.line}


def _block(path, parents):
    """Return what tells one block from another."""
    return "{0}:{1}".format(_shown(path), parents[-1].line if parents else 0)


def _server_names(parents):
    """Return the words of server_name in the server around a statement; [] outside of a server."""
    servers = [parent for parent in parents if parent.name == b"server"]
    said = [child for server in servers[:1] for child in server.block if child.name == b"server_name"]
    return [arg.decode("utf-8", "surrogateescape") for child in said for arg in child.args]


def _log_path(prefix, path, redactor):
    if path.startswith(_SPECIAL_LOG):
        return text.harmless(redactor.text(_decoded(path)), 500)
    return _shown(os.path.normpath(os.path.join(prefix, path)))


def _account(main, build):
    """Return the identity that the configuration, and then the build, give to workers."""
    said = main.user()
    user, group = said or (build.get("user", "nobody"), build.get("group", "nobody"))
    return main.account(user, group, "configuration" if said else "build")


def _identity(user, uid, gid, groups, source):
    return {"user": _shown(user), "uid": uid, "gid": gid, "groups": groups, "from": source}


def _is_read_only(host, path):
    """Return whether nobody can write to a file. Asked where we are: the unit of nginx may see a read-only view of what is not (ProtectSystem=)."""
    try:
        return bool(os.statvfs(host.path(path)).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _load_there(conf_path, folder):
    """Load the files; called where the master is."""
    return _nginx_files.load(_host.Host(), conf_path, folder, {})


def _unread(path, error):
    """Return the entry of the configuration file when nothing could be read."""
    entry = dict.fromkeys(("sha256", "size", "mtime", "ctime", "uid", "gid", "mode", "error"))
    entry.update(managed="", read_only=False)
    entry.update(path=_shown(path), real_path=_shown(path), status=error.status, why=text.harmless(error.why, 500), truncated=False, content="")
    return entry


def _include(include):
    return {
        "pattern": _shown(include["pattern"]),
        "at": {"file": _shown(include["file"]), "line": include["line"]},
        "matches": [_shown(match) for match in include["matches"]],
        "status": include["status"],
        "why": text.harmless(include["why"], 500),
    }


def _decoded(name):
    return text.decode(os.fsencode(name))


def _shown(name):
    """Return a path or name (str with surrogateescape) as it may leave the host."""
    return text.harmless(_decoded(name), 4096)
