# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether SELinux's local settings can be changed from here: the Python modules that this takes, and the packages that have them.

ansible.posix.seboolean imports selinux and semanage; community.general.seport and sefcontext import selinux and seobject, which imports semanage. They
are built for the interpreter of the distribution: no other one can import them, whatever is installed.

This module is private to the collection.
"""

import importlib
import re
import sys

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local as local
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

ASKED = "/sys/fs/selinux, the Python modules selinux, semanage and seobject, SELinux's policy store"
MODULES = ("selinux", "semanage", "seobject")
# By the names in /etc/os-release. Debian 12: `dpkg -S` of the three files. Fedora, and Red Hat Enterprise Linux from 8: the file lists in
# libselinux.spec, libsemanage.spec and policycoreutils.spec.
PACKAGES = {
    "debian": {"selinux": "python3-selinux", "semanage": "python3-semanage", "seobject": "policycoreutils-python-utils"},
    "fedora": {"selinux": "python3-libselinux", "semanage": "python3-libsemanage", "seobject": "python3-policycoreutils"},
}
FAMILIES = {"debian": "debian", "ubuntu": "debian", "fedora": "fedora", "rhel": "fedora", "centos": "fedora"}
_POLICY = re.compile(r"^\s*SELINUXTYPE\s*=\s*([A-Za-z0-9_-]+)\s*$", re.MULTILINE)
# selabel_sub_key() of libselinux, src/label_file.c: the administrator's own table, then that of the distribution.
_SUBSTITUTES = "/etc/selinux/{0}/contexts/files/file_contexts.{1}"
INTERPRETERS = ("/usr/bin/python3", "/usr/libexec/platform-python")


def collect(host, booleans=(), ports=(), patterns=(), able=None):
    """Return the value that the module selinux_local_info documents, as a Partial; able(name) replaces the import of a module in tests.

    Raises Unanswered: "absent" when the kernel runs without SELinux.
    """
    if not host.exists(local.FOLDER + "/enforce"):
        raise evidence.Unanswered(evidence.ABSENT, "the kernel runs without SELinux")
    able = able or imports
    missing = [name for name in MODULES if not able(name)]
    family = _family(host)
    packages = [PACKAGES[family][name] for name in missing] if family else []
    other = _other(host) if missing else ""
    substitutes = _substitutes(host)
    known = {pattern: substituted(pattern, substitutes) for pattern in patterns}
    hidden = []
    keys = [(local.BOOLEAN, name) for name in booleans] + [(local.PORT, "tcp", port, port) for port in ports]
    keys += [(local.FCONTEXT, pattern, "a") for pattern in known.values()]
    value = {
        "missing": missing, "packages": [] if other else packages, "interpreter": sys.executable or "", "other": other,
        "says": said(missing, packages, other), "settings": _settings(keys, hidden), "patterns": known,
    }
    return evidence.Partial(value, False, hidden)


def imports(name):
    """Return whether this interpreter has a module that works; a broken one raises what it likes."""
    try:
        importlib.import_module(name)
    except Exception:  # pylint: disable=broad-except
        return False
    return True


def said(missing, packages, other):
    """Return what is missing, and what to do about it; "" when nothing is."""
    if not missing:
        return ""
    lacks = "{0} cannot import {1}, which setting something in SELinux takes".format(sys.executable or "the interpreter", ", ".join(missing))
    if other:
        return "{0}; {1} can: set ansible_python_interpreter to it".format(lacks, other)
    if packages:
        return "{0}; the packages that have them: {1}. With bad_gateway_install_packages=true they are installed".format(lacks, ", ".join(packages))
    return "{0}; which packages of this distribution have them is not known".format(lacks)


def _settings(keys, hidden):
    try:
        return [dict(state, name=text.harmless(local.told(key), 500)) for key, state in local.states(keys).items()]
    except local.LocalError as error:
        hidden.append(str(error))
        return None


def _family(host):
    """Return the key of PACKAGES for this distribution, or ""."""
    said_by = dict(line.split("=", 1) for line in _text_of(host, "/etc/os-release").split("\n") if "=" in line)
    names = [word for key in ("ID", "ID_LIKE") for word in said_by.get(key, "").strip().strip("\"'").split()]
    return next((FAMILIES[name] for name in names if name in FAMILIES), "")


def _other(host):
    """Return an interpreter of the distribution that has all modules, or ""."""
    for path in INTERPRETERS:
        try:
            if host.run([path, "-I", "-B", "-c", "import " + ", ".join(MODULES)], timeout=30).rc == 0:
                return path
        except evidence.Unanswered:
            continue
    return ""


def _substitutes(host):
    """Return the tables by which the policy takes paths for other ones, in the order in which it uses them: {path: the other one}."""
    policy = _POLICY.search(_text_of(host, "/etc/selinux/config"))
    tables = [_text_of(host, _SUBSTITUTES.format(policy.group(1), name)) for name in ("subs", "subs_dist")] if policy else []
    lines = [[line.split() for line in table.split("\n") if not line.lstrip().startswith("#")] for table in tables]
    return [dict(words for words in table if len(words) == 2) for table in lines]


def _text_of(host, path):
    """Return the text of a file; "" where there is none, as there is no table for most."""
    try:
        return host.text(path)
    except evidence.Unanswered:
        return ""


def substituted(pattern, tables):
    """Return a pattern as the policy has its path: a record for a path that is taken for another one would never be looked at."""
    for table in tables:
        for start in sorted(table, key=len, reverse=True):
            if pattern == start or pattern.startswith((start + "/", start + "(")):
                pattern = table[start] + pattern[len(start):]
                break
    return pattern
