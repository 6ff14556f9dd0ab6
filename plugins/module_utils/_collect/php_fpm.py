# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which PHP-FPM versions and pools this host has, where they listen, and which of them run.

The configuration is read as PHP-FPM reads it (sapi/fpm/fpm/fpm_conf.c): line by line, an include at
the place where it stands, a section that comes again continued, the last of equal entries in force,
";" for comments. "#" begins no comment: PHP-FPM refuses the line as an unknown entry, so it sets
nothing here either. `listen = 9000` is every address of both families (seen with PHP 8.2).

This module is private to the collection.
"""

import glob
import re
import stat

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as safe_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "php_fpm"
ASKED = "php-fpm.conf and its includes, PHP-FPM master processes"

MAX_FILE = 1 << 20
MAX_FILES = 2000
MAX_POOLS = 5000
MAX_DEPTH = 5

_MASTER = re.compile(r"^php-fpm: master process \((?P<configuration>/.*)\)$")
_ENTRY = re.compile(r"^\s*(?P<key>[^=\[;\"'\s][^=\[;]*?)\s*=\s*(?P<value>.*)$")
_SECTION = re.compile(r"^\s*\[(?P<name>[^\]]+)\]")
_COUNT = re.compile(r"[0-9]{1,9}\Z")
_TIME = re.compile(r"^(?P<number>\d+)(?P<unit>[smhd]?)$")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_UNIT_FOLDERS = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")

# How the packagers lay PHP-FPM out. {0} is what the group of the pattern found, dots taken out in {1}.
_LAYOUTS = (
    ("/etc/php/*/fpm/php-fpm.conf", r"^/etc/php/([\d.]+)/", ("/usr/sbin/php-fpm{0}",), ("php{0}-fpm.service",), "/usr"),
    ("/etc/opt/remi/php*/php-fpm.conf", r"/php(\d+)/", ("/opt/remi/php{0}/root/usr/sbin/php-fpm",), ("php{0}-php-fpm.service",), "/opt/remi/php{0}/root/usr"),
    ("/etc/php[0-9]*/php-fpm.conf", r"^/etc/php(\d+)/", ("/usr/sbin/php-fpm{0}", "/usr/bin/php-fpm{0}"), ("php-fpm{0}.service",), "/usr"),
    ("/etc/php-fpm.conf", r"()", ("/usr/sbin/php-fpm",), ("php-fpm.service",), "/usr"),
    ("/etc/php/php-fpm.conf", r"()", ("/usr/bin/php-fpm",), ("php-fpm.service",), "/usr"),
    ("/usr/local/etc/php-fpm.conf", r"()", ("/usr/local/sbin/php-fpm",), ("php-fpm.service",), "/usr/local"),
)


def collect(host, processes):
    """Return the `php_fpm` value of docs/architecture.md as a Partial.

    version is "" where neither the layout nor the program tells it; binary is "" when the program is
    not installed (its configuration stays behind), and where only a process of another user than root tells of it; unit is "" when no
    such unit file exists. listen is "" when the pool has none or takes it from an environment variable. Paths are those of this
    host: masters inside containers are named in hidden. Raises Unanswered "absent" when there is no
    configuration and no master.
    """
    masters, hidden = _masters(processes)
    versions = _installed(host)
    for configuration in masters:
        if configuration not in [version["configuration"] for version in versions]:
            versions.append(_other(masters[configuration], configuration))
    if not versions and not hidden:
        raise evidence.Unanswered(evidence.ABSENT, "no PHP-FPM configuration and no PHP-FPM process")
    pools, truncated = [], False
    for version in versions:
        prefix = version.pop("prefix")
        _run_by(version, masters.get(version["configuration"]))
        reader = _Reader(host, prefix)
        reader.file(version["configuration"])
        version["error_log"] = _error_log(reader.shared.get("error_log", ""), prefix)
        version["process_control_timeout"] = seconds(reader.shared.get("process_control_timeout", ""))
        hidden += reader.hidden
        truncated = truncated or reader.truncated
        pools += [_pool(host, pool, version, prefix, hidden) for pool in reader.pools.values()]
    return evidence.Partial({"versions": _shown(versions), "pools": _shown(pools[:MAX_POOLS])}, truncated or len(pools) > MAX_POOLS, hidden)


def _masters(processes):
    """Return ({configuration: master}, hidden)."""
    found, hidden = {}, []
    # Of several, root's is the one; any other user can make his own look like it.
    for process in sorted(processes, key=lambda process: process.uid != 0):
        match = _MASTER.match(process.title())
        # Any process can write itself such a title; the file that it runs is the kernel's word.
        if not match or process.exe and "php-fpm" not in process.program():
            continue
        if process.container:
            hidden.append("PHP-FPM master {0} runs in container {1}: its configuration was not read".format(process.pid, text.harmless(process.container[:12])))
        else:
            found.setdefault(match.group("configuration"), process)
    return found, hidden


def _installed(host):
    """Return the versions whose configuration is at a packager's place."""
    versions = []
    for pattern, finder, binaries, units, prefix in _LAYOUTS:
        for path in _matches(host, pattern):
            found = re.search(finder, path)
            tag = found.group(1) if found else ""
            binary = next((name.format(tag) for name in binaries if _is_there(host, name.format(tag))), "")
            unit = next((name.format(tag) for name in units if _has_unit(host, name.format(tag))), "")
            versions.append({
                "version": _dotted(tag) or _version_of(host, binary), "binary": binary, "configuration": path,
                "unit": unit, "prefix": prefix.format(tag),
            })
    return versions


def _other(master, configuration):
    """Return the version of a master whose configuration is at a place of its own."""
    tag = re.search(r"php-fpm-?(\d[\d.]*)$", master.exe)
    prefix = master.exe.rpartition("/")[0].rpartition("/")[0] or "/usr"
    # Root is to run no program of another user's choice.
    binary = master.exe if master.uid == 0 else ""
    return {"version": _dotted(tag.group(1)) if tag else "", "binary": binary, "configuration": configuration, "unit": "", "prefix": prefix}


def _dotted(tag):
    """Return "82" and "8.2" as "8.2"."""
    return tag[0] + "." + tag[1:] if re.match(r"^\d\d+$", tag) else tag


def _version_of(host, binary):
    """Return "8.2" from `php-fpm -v`, whose first line is "PHP 8.2.36 (fpm-fcgi) ..."."""
    if not binary:
        return ""
    try:
        output = host.run([binary, "-v"], timeout=5, limit=4096)
    except evidence.Unanswered:
        return ""
    match = re.match(r"PHP (\d+\.\d+)", text.decode(output.out))
    return match.group(1) if match else ""


def _run_by(version, master):
    version["running"] = master is not None
    version["pid"] = master.pid if master else None
    if master and master.unit.endswith(".service"):
        version["unit"] = master.unit


def _is_there(host, path):
    try:
        return host.exists(path)
    except evidence.Unanswered:
        return False


def _is_folder(host, path):
    try:
        return stat.S_ISDIR(host.stat(path).st_mode)
    except evidence.Unanswered:
        return False


def _has_unit(host, name):
    return any(_is_there(host, folder + name) for folder in _UNIT_FOLDERS)


def _matches(host, pattern):
    """Return the sorted paths that match a pattern, as glob(3) would."""
    return [path[len(host.root):] for path in sorted(glob.glob(glob.escape(host.root) + pattern))]


class _Reader:
    """One configuration and what it includes: pools is {name: {key: (value, file, line)}}."""

    def __init__(self, host, prefix):
        self.pools = {}
        self.shared = {}
        self.hidden = []
        self.truncated = False
        self._host = host
        self._prefix = prefix
        self._files = 0
        self._section = None

    def file(self, path, depth=0):
        """Read one file."""
        self._files += 1
        if depth >= MAX_DEPTH or self._files > MAX_FILES:
            self.truncated = True
            return
        try:
            content, cut = self._host.read(path, MAX_FILE)
        except (evidence.Unanswered, OSError) as error:
            self.hidden.append(text.harmless(getattr(error, "why", None) or "{0}: {1}".format(path, error), 500))
            return
        self.truncated = self.truncated or cut
        for number, raw in enumerate(content.split(b"\n"), 1):
            self._line(text.decode(raw), path, number, depth)

    def _line(self, line, path, number, depth):
        section = _SECTION.match(line)
        if section:
            self._enter(section.group("name").strip().strip("\"'"), path, number)
            return
        entry = _ENTRY.match(line)
        if not entry:
            return
        key, value = entry.group("key"), unquoted(entry.group("value"))
        if key == "include":
            for included in _matches(self._host, value if value.startswith("/") else self._prefix + "/" + value):
                # PHP-FPM passes folders over too, and nothing else.
                if not _is_folder(self._host, included):
                    self.file(included, depth + 1)
        elif self._section is None:
            self.shared[key] = value
        else:
            self._section[key] = (value.replace("$pool", self._section[""][0]), path, number)

    def _enter(self, name, path, number):
        """Go into a section. [global] is not a pool. The entry "" of a pool is its name and place."""
        if name.lower() == "global":
            self._section = None
        elif name in self.pools or len(self.pools) <= MAX_POOLS:
            self._section = self.pools.setdefault(name, {"": (name, path, number)})


def unquoted(value):
    """Return the value of an INI entry: quotes taken off, a comment after it cut."""
    value = value.strip()
    if value[:1] in ("\"", "'"):
        end = value.find(value[0], 1)
        if end > 0:
            return value[1:end]
    return value.partition(";")[0].rstrip()


def _pool(host, entries, version, prefix, hidden):
    name, path, number = entries[""]

    def value(key):
        return entries.get(key, ("", "", 0))[0]

    written, listen_file, listen_line = entries.get("listen", ("", path, number))
    listen = endpoint(written, value("prefix"), prefix)
    if written and not listen:
        hidden.append(text.harmless("pool {0}: listen = {1} cannot be told from the configuration alone".format(name, written), 500))
    children = value("pm.max_children")
    return {
        "name": name,
        "version": version["version"],
        "at": {"file": path, "line": number},
        "roots": safe_files.of_root(host.path(path)),
        "listen": listen,
        "listen_at": {"file": listen_file, "line": listen_line},
        "owner": value("listen.owner"),
        "group": value("listen.group"),
        "mode": value("listen.mode"),
        "acl_users": _words(value("listen.acl_users")),
        "acl_groups": _words(value("listen.acl_groups")),
        "user": value("user"),
        "pm": value("pm"),
        "max_children": int(children) if _COUNT.match(children) else None,
        "request_terminate_timeout": seconds(value("request_terminate_timeout")),
        "ping_path": value("ping.path"),
        "status_path": value("pm.status_path"),
        "status_listen": endpoint(value("pm.status_listen"), value("prefix"), prefix),
        "slowlog": _below(value("slowlog"), value("prefix"), prefix),
        "request_slowlog_timeout": seconds(value("request_slowlog_timeout")),
        "unit": version["unit"],
        "running": version["running"],
    }


def _error_log(written, prefix):
    """Return the path of the master's log, "syslog", or "" where the build's own default is not known."""
    if written == "syslog" or written.startswith("/"):
        return written
    # The default is log/php-fpm.log below the localstatedir of the build.
    state = "/var" if prefix == "/usr" else prefix.rpartition("/root/usr")[0] + "/root/var" if prefix.endswith("/root/usr") else prefix + "/var"
    return state + "/" + (written or "log/php-fpm.log")


def _words(value):
    return [word.strip() for word in value.split(",") if word.strip()]


def seconds(value):
    """Return a time such as "30s" or "2m" in seconds; 0.0, which is "off", when there is none."""
    match = _TIME.match(value)
    return float(int(match.group("number")) * _SECONDS[match.group("unit")]) if match else 0.0


def endpoint(listen, pool_prefix="", prefix="/usr"):
    """Return a pool's listen as an endpoint; "" when it holds a variable or nothing.

    fpm_sockets_domain_from_address(): a colon or digits alone mean TCP, anything else is a path,
    relative to the pool's prefix, which is relative to that of the build.
    """
    if not listen or "${" in listen:
        return ""
    if listen.isdigit():
        return "*:" + listen
    if ":" in listen and not listen.startswith("/"):
        return listen
    return "unix:" + _below(listen, pool_prefix, prefix)


def _below(path, pool_prefix, prefix):
    """Return a path as fpm_evaluate_full_path() completes it; "" for one that is not set or holds a variable."""
    if not path or "${" in path:
        return ""
    for folder in (pool_prefix, prefix):
        if folder and not path.startswith("/"):
            path = folder.rstrip("/") + "/" + path
    return path


def _shown(value):
    """Return a value with every text in it harmless."""
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return text.harmless(value, 4096) if isinstance(value, str) else value
