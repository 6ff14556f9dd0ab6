# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator has set in SELinux beside its policy: booleans, types of ports, and labels of paths.

Each is a local record in the policy store, or none, and then the policy's own word holds. They are read and written by libsemanage, through the
Python module semanage, which the modules that set them need as well: only that can take a record away again. A boolean has a value in force
besides, which is the kernel's.

A KEY names one: ("boolean", name), ("port", protocol, low, high), ("fcontext", pattern, ftype letter of FTYPES). Its STATE is {"local": None or
the record: true or false of a boolean, else the context} and, of a boolean, "value": the one in force.

This file imports nothing of the collection: it is copied to where a change may have to be undone without us.

This module is private to the collection.
"""

import importlib
import os
import re

BOOLEAN, PORT, FCONTEXT = "boolean", "port", "fcontext"
FOLDER = "/sys/fs/selinux"
FTYPES = {"a": "ALL", "f": "REG", "d": "DIR", "c": "CHAR", "b": "BLOCK", "s": "SOCK", "l": "LINK", "p": "PIPE"}
# The "context" of a record that says that a path has none.
NONE = "<<none>>"

_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
_PROTOCOLS = ("tcp", "udp", "dccp", "sctp")


class LocalError(ValueError):
    """Why something cannot be read or set, in words."""


def told(key):
    """Return a KEY in words."""
    if key[0] == PORT:
        return "SELinux type of port {0} {1}".format(key[1], key[2] if key[2] == key[3] else "{0}-{1}".format(key[2], key[3]))
    if key[0] == FCONTEXT:
        return "SELinux label of {0}{1}".format(key[1], "" if key[2] == "a" else " ({0})".format(FTYPES[key[2]].lower()))
    return "SELinux boolean {0}".format(key[1])


def described(state):
    """Return a STATE in words."""
    local = state["local"]
    if "value" not in state:
        return "no local record" if local is None else "local record {0}".format(local)
    return "{0}, {1}".format("on" if state["value"] else "off", "no local record" if local is None else "local record {0}".format("on" if local else "off"))


def states(keys):
    """Return {KEY: STATE}. Raises LocalError when one of them cannot be read."""
    found = {}
    with _Store() as store:
        for key in keys:
            found[key] = {"local": store.local(key)}
            if key[0] == BOOLEAN:
                found[key]["value"] = in_force(key[1])
    return found


def put_back(wanted):
    """Give {KEY: STATE} what each says, all records at once. Raises LocalError; then no record was changed, or only values in force were not."""
    now = states(wanted)
    records = [(key, state["local"]) for key, state in sorted(wanted.items()) if now[key]["local"] != state["local"]]
    if records:
        with _Store() as store:
            store.write(records)
    # To load a policy keeps the values in force.
    values = {key[1]: state["value"] for key, state in wanted.items() if key[0] == BOOLEAN and in_force(key[1]) != state["value"]}
    if values:
        _set_in_force(values)


def in_force(name):
    """Return the value of a boolean that the kernel holds. Raises LocalError."""
    path = _boolean(name)
    try:
        with open(path, "rb") as file:
            return file.read(16).split()[0] == b"1"
    except (OSError, IndexError):
        raise LocalError("SELinux has no boolean {0}, or does not run here".format(name))


def _boolean(name):
    if not _NAME.fullmatch(name):
        raise LocalError("{0!r} is no name of a boolean".format(name))
    return os.path.join(FOLDER, "booleans", name)


def _set_in_force(values):
    try:
        for name, value in sorted(values.items()):
            _tell(_boolean(name), b"1" if value else b"0")
        _tell(os.path.join(FOLDER, "commit_pending_bools"), b"1")
    except OSError as error:
        raise LocalError("{0}: {1}".format(error.filename, os.strerror(error.errno)))


def _tell(path, said):
    # The kernel takes what one write says.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, said)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno), path)
    finally:
        os.close(descriptor)


class _Store:
    """The policy store, connected to. Every call of libsemanage gives its code first, and below zero it has failed."""

    def __enter__(self):
        try:
            semanage = importlib.import_module("semanage")
        except ImportError:
            raise LocalError("the Python module semanage is not there, by which SELinux's policy store is read and written")
        self.lib = semanage
        self.handle = semanage.semanage_handle_create()
        self.connected = False
        try:
            if semanage.semanage_is_managed(self.handle) != 1:
                raise LocalError("SELinux's policy store is not there, or only root may read it")
            if semanage.semanage_connect(self.handle) < 0:
                raise LocalError("SELinux's policy store cannot be opened")
            self.connected = True
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_failure):
        if self.connected:
            self.lib.semanage_disconnect(self.handle)
        self.lib.semanage_handle_destroy(self.handle)

    def call(self, kind, what, *arguments):
        """Return what a function of libsemanage gives besides its code. Raises LocalError."""
        name = "semanage_{0}_{1}".format(kind, what)
        given = getattr(self.lib, name)(self.handle, *arguments)
        code, value = given if isinstance(given, (list, tuple)) else (given, None)
        if code < 0:
            raise LocalError("SELinux's policy store: {0} failed".format(name))
        return value

    def key(self, key):
        """Return (libsemanage's word for a kind, its key)."""
        if key[0] == BOOLEAN:
            _boolean(key[1])
            return "bool", self.call("bool", "key_create", key[1])
        if key[0] == PORT:
            if key[1] not in _PROTOCOLS or not 0 <= key[2] <= key[3] <= 65535:
                raise LocalError("{0} {1}-{2} is no port".format(*key[1:]))
            return "port", self.call("port", "key_create", key[2], key[3], getattr(self.lib, "SEMANAGE_PROTO_" + key[1].upper()))
        return "fcontext", self.call("fcontext", "key_create", key[1], self.ftype(key))

    def ftype(self, key):
        """Return libsemanage's number for the kind of file."""
        return getattr(self.lib, "SEMANAGE_FCONTEXT_" + FTYPES[key[2]])

    def local(self, key):
        """Return what the local record of a KEY says, or None."""
        kind, made = self.key(key)
        if not self.call(kind, "exists_local", made):
            return None
        record = self.call(kind, "query_local", made)
        if kind == "bool":
            return bool(self.lib.semanage_bool_get_value(record))
        context = getattr(self.lib, "semanage_{0}_get_con".format(kind))(record)
        return NONE if context is None else self.call("context", "to_string", context)

    def write(self, records):
        """Make the local records of [(KEY, record or None)], and load the policy that comes of it."""
        if self.lib.semanage_begin_transaction(self.handle) < 0:
            raise LocalError("SELinux's policy store is being changed by somebody else")
        for key, record in records:
            kind, made = self.key(key)
            if record is None:
                self.call(kind, "del_local", made)
            else:
                self.call(kind, "modify_local", made, self.record(kind, key, record))
        if self.lib.semanage_commit(self.handle) < 0:
            raise LocalError("SELinux's policy store did not take the change")

    def record(self, kind, key, record):
        """Return libsemanage's record."""
        made = self.call(kind, "create")
        if kind == "bool":
            self.call(kind, "set_name", made, key[1])
            self.lib.semanage_bool_set_value(made, int(record))
            return made
        if kind == "port":
            self.lib.semanage_port_set_proto(made, getattr(self.lib, "SEMANAGE_PROTO_" + key[1].upper()))
            self.lib.semanage_port_set_range(made, key[2], key[3])
        else:
            self.call(kind, "set_expr", made, key[1])
            self.lib.semanage_fcontext_set_type(made, self.ftype(key))
        self.call(kind, "set_con", made, None if record == NONE else self.call("context", "from_string", record))
        return made
