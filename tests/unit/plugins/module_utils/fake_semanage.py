# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with SELinux for tests: booleans of the kernel in a folder, and a policy store that answers as the Python module semanage does.

Each function of libsemanage gives its code, with its value beside it where it has one (as on Debian 12, python3-semanage 3.4).
"""

import sys


class FakeSemanage:
    """The module. records: {(kind, *key): value or context}; refuses: names of functions that fail; commits: how often the policy was made anew."""

    SEMANAGE_PROTO_UDP, SEMANAGE_PROTO_TCP = 0, 1
    SEMANAGE_FCONTEXT_ALL, SEMANAGE_FCONTEXT_REG, SEMANAGE_FCONTEXT_SOCK = 0, 1, 5

    def __init__(self):
        self.records = {}
        self.refuses = set()
        self.managed = 1
        self.commits = 0
        self.pending = None
        self.open = 0

    def __getattr__(self, name):
        if not name.startswith("semanage_"):
            raise AttributeError(name)
        kind, _line, what = name[len("semanage_"):].partition("_")

        def function(handle, *arguments):
            if name in self.refuses:
                return -1 if what in ("del_local", "modify_local", "set_name", "set_expr", "set_con") else [-1, None]
            return getattr(self, "_" + what)(kind, *arguments)

        return function

    def semanage_handle_create(self):
        return "handle"

    def semanage_handle_destroy(self, _handle):
        return None

    def semanage_is_managed(self, _handle):
        return self.managed

    def semanage_connect(self, _handle):
        if "semanage_connect" in self.refuses:
            return -1
        self.open += 1
        return 0

    def semanage_disconnect(self, _handle):
        self.open -= 1
        return 0

    def semanage_begin_transaction(self, _handle):
        if "semanage_begin_transaction" in self.refuses:
            return -1
        self.pending = dict(self.records)
        return 0

    def semanage_commit(self, _handle):
        if "semanage_commit" in self.refuses:
            return -1
        self.records, self.pending = self.pending, None
        self.commits += 1
        return 0

    def semanage_bool_get_value(self, record):
        return record["value"]

    def semanage_bool_set_value(self, record, value):
        record["value"] = value

    def semanage_port_get_con(self, record):
        return record["value"]

    def semanage_fcontext_get_con(self, record):
        return record["value"]

    def semanage_port_set_proto(self, record, protocol):
        record["protocol"] = protocol

    def semanage_port_set_range(self, record, low, high):
        record["range"] = (low, high)

    def semanage_fcontext_set_type(self, record, ftype):
        record["ftype"] = ftype

    def _key_create(self, kind, *key):
        return [0, (kind,) + key]

    def _exists_local(self, _kind, key):
        return [0, int(key in self.records)]

    def _query_local(self, _kind, key):
        return [0, {"value": self.records[key]}]

    def _del_local(self, _kind, key):
        del self.pending[key]
        return 0

    def _modify_local(self, kind, key, record):
        made = {"bool": ("name",), "port": ("range", "protocol"), "fcontext": ("expression", "ftype")}[kind]
        flat = [part for name in made for part in (record[name] if name == "range" else (record[name],))]
        assert (kind,) + tuple(flat) == key, "the record is for another key"
        self.pending[key] = record["value"]
        return 0

    def _create(self, _kind):
        return [0, {}]

    def _set_name(self, _kind, record, name):
        record["name"] = name
        return 0

    def _set_expr(self, _kind, record, expression):
        record["expression"] = expression
        return 0

    def _set_con(self, _kind, record, context):
        record["value"] = context
        return 0

    def _to_string(self, _kind, context):
        return [0, context]

    def _from_string(self, _kind, said):
        return [0, said]


def selinux(monkeypatch, local, folder, **booleans):
    """Put a host with SELinux there, with these booleans in force, and return its FakeSemanage."""
    (folder / "booleans").mkdir(parents=True)
    (folder / "enforce").write_text("1")
    (folder / "commit_pending_bools").write_text("")
    for name, value in booleans.items():
        (folder / "booleans" / name).write_text("{0} {0}".format(int(value)))
    made = FakeSemanage()
    monkeypatch.setitem(sys.modules, "semanage", made)
    monkeypatch.setattr(local, "FOLDER", str(folder))
    return made
