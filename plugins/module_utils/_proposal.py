# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proposed configuration in a folder, read and tested as if it lay where nginx will read it.

It is tested in the private overlay: the folder of the configuration is empty there but for the proposed files,
and what the machine of the test has not, and the host of nginx will have, is stood in for: certificates and
their keys, host names of backends, the user, folders of logs and temporary files.

This module is private to the collection.
"""

import os
import re
import tempfile

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import host_facts
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx

OVERLAY, PLAIN, NONE = "overlay", "plain", "none"
# A folder of links to the modules that are installed, which is no part of what people keep in a repository.
MODULES = "modules-enabled"
PROGRAM = "/usr/sbin/nginx"
MAX_FILES = 4000
MAX_BYTES = 32 << 20
MAX_HOPS = 40
SECONDS = 60.0
# Of a network for documentation (RFC 5737): the test connects to nothing.
ADDRESS = "192.0.2.1"

_CERTIFICATES = (b"ssl_certificate", b"ssl_trusted_certificate", b"ssl_client_certificate")
_KEYS = (b"ssl_certificate_key",)
_ELSEWHERE = re.compile(r"(?:data|engine|store):|.*\$", re.DOTALL)
# What the test says where an address is that of another host; the whole configuration was understood then.
_FOREIGN_ADDRESS = re.compile(r"bind\(\) to .* failed \(99: |still could not bind\(\)")
# What it says of things that the host of nginx may well have.
_NOT_HERE = re.compile(
    r"host not found in |cannot load certificate|BIO_new_file\(\)|SSL_CTX_(?:use|load)|getpwnam\(|getgrnam\(|bind\(\) to .* failed \(99: "
    r"|(?:open|mkdir)\(\) \"[^\"]*\" failed \((?:2|13|30): "
)


class Tree(_host.Host):
    """This machine, but with the files of a folder (tree) in the place where nginx will read them.

    A file that the tree has not is the machine's own where it is named: what a package of nginx brings (mime.types) is
    seldom kept in a repository. A folder shows the files of the tree alone, so that no site of this machine is taken for a proposed one.
    """

    def __init__(self, tree, place):
        super().__init__()
        self.tree = os.path.realpath(tree)
        self.place = place
        self.installed = os.path.realpath(place) == self.tree

    def path(self, path):
        """Return where a path really is; a link of the tree to somewhere in the place leads into the tree."""
        path = os.path.normpath(path)
        for _hop in range(MAX_HOPS):
            if self.installed or not (path + "/").startswith(self.place + "/"):
                return path
            here, parts = self.tree, [part for part in path[len(self.place):].split("/") if part]
            for index, part in enumerate(parts):
                here = here + "/" + part
                if os.path.islink(here):
                    path = os.path.normpath(os.path.join(self.place, *(parts[:index] + [os.readlink(here)] + parts[index + 1:])))
                    break
            else:
                return path if not os.path.lexists(here) and (os.path.isfile(path) or MODULES in parts) else here
        return path


def answers(tree, conf_path, redactor, test, stand_ins):
    """Return (answers by question, what was stood in for: sentences).

    tree       folder that holds the proposed files
    conf_path  where the main file will be; its folder is the place of the tree
    test       OVERLAY; PLAIN: nginx -t on this machine as it is, which must have the files in their place; NONE
    """
    host = Tree(tree, os.path.dirname(conf_path))
    processes = _processes.Processes({}, net="", mnt="")
    found = nginx.of(host, redactor, processes, conf_path=conf_path)[:1] or nginx.of(host, redactor, processes, PROGRAM, conf_path)
    instance = found[0]
    shown = dict(instance.show(False), proposed=True)
    notes = []
    if test != NONE:
        shown["test"] = evidence.ask("nginx -t", _tested, host, instance, shown, test, stand_ins, notes)
    return {
        host_facts.KEY: evidence.ask(host_facts.ASKED, host_facts.collect, host),
        nginx.KEY: evidence.answer("the files in {0}".format(text.harmless(tree)), {"instances": [shown]}),
    }, [text.harmless(note, 500) for note in notes]


def _tested(host, instance, shown, test, stand_ins, notes):
    """Return what nginx -t says. Raises Unanswered."""
    if instance.build["status"] == evidence.ABSENT:
        raise evidence.Unanswered(evidence.ABSENT, "nginx is not installed where the configuration is checked")
    if instance.why is not None:
        raise instance.why
    if test == PLAIN:
        said = _plainly(host, instance)
        if not said["valid"] and stand_ins and _NOT_HERE.search(_first(said)):
            raise evidence.Unanswered(evidence.ABSENT, "nginx -t gave up at what is not there: {0}".format(_first(said)))
        return said
    staged = _files(host, instance)
    if stand_ins:
        staged.update(_certificates(host, instance, notes))
        staged.update(_names(shown, notes))
        staged.update(_account(instance, notes))
        staged.update(_folders(instance))
    said = instance.test(staged, hidden=() if host.installed else (host.place,))
    if not said["valid"] and stand_ins and all(_FOREIGN_ADDRESS.search(one["text"]) for one in said["messages"] if one["level"] == "emerg"):
        notes.append("an address of another host is listened on: {0}".format(_first(said)))
        said = dict(said, valid=True)
    return said


def _first(said):
    return next((one["text"] for one in said["messages"] if one["level"] == "emerg"), "no message")


def _plainly(host, instance):
    """Run nginx -t on this machine as it is."""
    if not host.installed:
        raise evidence.Unanswered(evidence.ERROR, "without the private overlay the files must lie in {0}".format(text.harmless(host.place)))
    return instance.test(plain=True)


def _files(host, instance):
    """Return {path: bytes} of the proposed files, and of those of this machine that they include by name. Raises Unanswered."""
    if host.installed:
        return {}
    wanted, size = {}, 0
    for folder, folders, names in os.walk(host.tree):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            wanted[host.place + os.path.join(folder, name)[len(host.tree):]] = None
    wanted.update({file["path"]: None for file in instance.loaded["files"]})
    if len(wanted) > MAX_FILES:
        raise evidence.Unanswered(evidence.ERROR, "more than {0} files in {1}".format(MAX_FILES, text.harmless(host.tree)))
    for path in wanted:
        try:
            wanted[path] = host.read(path, MAX_BYTES)[0]
        except evidence.Unanswered:
            # A link that leads nowhere, a socket: nginx says so where it needs it.
            continue
        size += len(wanted[path])
        if size > MAX_BYTES:
            raise evidence.Unanswered(evidence.ERROR, "more than {0} MiB in {1}".format(MAX_BYTES >> 20, text.harmless(host.tree)))
    return {path: content for path, content in wanted.items() if content is not None}


def _statements(instance):
    return [statement for parsed in instance.main.parsed.values() for statement, _parents in parsed.walk() if len(statement.words) > 1]


def _certificates(host, instance, notes):
    """Return {path: bytes} of a certificate and key of our own for each that is not there."""
    missing = set()
    for statement in _statements(instance):
        if statement.name.endswith(_CERTIFICATES + _KEYS):
            word = os.fsdecode(statement.args[0])
            path = os.path.normpath(os.path.join(os.path.dirname(instance.conf_path), word))
            if not _ELSEWHERE.match(word) and not os.path.exists(host.path(path)):
                missing.add(path)
    if not missing:
        return {}
    pem = _pem(host)
    shown = [text.decode(os.fsencode(path)) for path in sorted(missing)]
    notes.append("a certificate and key of the test's own stood in place of {0}".format(", ".join(shown[:20])))
    return {path: pem for path in missing}


def _pem(host):
    """Return a certificate and its key in one file. Raises Unanswered."""
    folder = tempfile.mkdtemp(prefix="webops_bad_gateway_")
    files = [os.path.join(folder, name) for name in ("certificate", "key")]
    try:
        host.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=stand-in", "-out", files[0], "-keyout", files[1]],
            timeout=SECONDS,
        )
        return b"".join(host.read(path)[0] for path in files)
    finally:
        for path in files:
            if os.path.exists(path):
                os.unlink(path)
        os.rmdir(folder)


def _names(shown, notes):
    """Return {path: bytes} of a hosts file in which every name of a backend has an address."""
    names = sorted(passes.names(shown) - {"localhost"})
    if not names:
        return {}
    notes.append("names of backends were not looked up: {0}".format(", ".join(names[:20])))
    return {"/etc/hosts": _appended("/etc/hosts", ["{0} {1}".format(ADDRESS, name) for name in names])}


def _account(instance, notes):
    """Return {path: bytes} of account files that have the user and group of nginx."""
    said = instance.main.user()
    if said is None:
        return {}
    staged = {}
    if said[0] not in instance.main.users:
        staged["/etc/passwd"] = _appended("/etc/passwd", ["{0}:x:65534:65534::/:/nonexistent".format(said[0])])
    if said[1] not in instance.main.groups:
        staged["/etc/group"] = _appended("/etc/group", ["{0}:x:65534:".format(said[1])])
    notes += ["other ids stood in for the user or group {0}".format(said[0])] * bool(staged)
    return staged


def _folders(instance):
    """Return {path: bytes} of empty files that bring the folders of logs, temporary files and the pid file with them."""
    wanted = [path for path in instance.main.logs(instance.prefix) if not os.path.isdir(os.path.dirname(path))]
    for statement in _statements(instance):
        path = os.path.normpath(os.path.join(instance.prefix, os.fsdecode(statement.args[0])))
        if statement.name.endswith((b"_temp_path", b"_cache_path", b"proxy_store")) and not os.path.isdir(os.path.dirname(path)) and "$" not in path:
            wanted.append(path + "/.stand-in")
        elif statement.name in (b"pid", b"lock_file") and not os.path.isdir(os.path.dirname(path)):
            wanted.append(path)
    return {path: b"" for path in wanted if not path.startswith("/dev/")}


def _appended(path, lines):
    try:
        with open(path, "rb") as file:
            there = file.read()
    except OSError:
        there = b""
    return there.rstrip(b"\n") + b"\n" + "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
