# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may set, and what is said to one who set it wrongly.

This module is private to the collection.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle

VARIABLES = (
    "bad_gateway_allow",
    "bad_gateway_apply",
    "bad_gateway_bundles",
    "bad_gateway_ca_file",
    "bad_gateway_checkpoint",
    "bad_gateway_config",
    "bad_gateway_config_path",
    "bad_gateway_config_stand_ins",
    "bad_gateway_config_test",
    "bad_gateway_confirm_within",
    "bad_gateway_edit_managed",
    "bad_gateway_fail_on",
    "bad_gateway_force",
    "bad_gateway_hosts",
    "bad_gateway_install_packages",
    "bad_gateway_max_hosts",
    "bad_gateway_only",
    "bad_gateway_probe",
    "bad_gateway_probe_method",
    "bad_gateway_probe_path",
    "bad_gateway_probe_timeout",
    "bad_gateway_report_dir",
    "bad_gateway_serial",
    "bad_gateway_since",
    "bad_gateway_skip",
    "bad_gateway_url",
)

REPORT_DIR = {"type": "path", "default": "bad_gateway_report"}
SINCE = {"type": "str", "default": "24h"}
BUNDLES = {"type": "path"}
IDS = {"type": "list", "elements": "str", "default": []}
FAIL_ON = {"type": "str", "choices": ["never", "cause", "risk"], "default": "never"}
PROBE = {
    "probe": {"type": "bool", "default": True},
    "probe_path": {"type": "str", "default": ""},
    "probe_method": {"type": "str", "choices": ["GET", "HEAD"], "default": "GET"},
    "probe_timeout": {"type": "float", "default": 10.0},
}
# A proposed configuration that is checked in place of the one of a host.
CONFIG = {
    "config": {"type": "path"},
    "config_path": {"type": "path", "default": "/etc/nginx/nginx.conf"},
    "config_test": {"type": "str", "choices": ["overlay", "plain", "none"], "default": "overlay"},
    "config_stand_ins": {"type": "bool", "default": True},
}
URL = {"type": "str"}
CHECKPOINT = {"type": "str"}
FORCE = {"type": "bool", "default": False}
# What may be done to a host; each host may have its own.
APPLY = {
    "apply": {"type": "str", "choices": ["none", "safe", "risky"], "default": "safe"},
    "allow": IDS,
    "edit_managed": {"type": "bool", "default": False},
    "install_packages": {"type": "bool", "default": False},
    "ca_file": {"type": "str", "default": ""},
}
# How hosts are changed.
ROLLOUT = {
    "serial": {"type": "list", "elements": "raw", "default": [1, "10%", "50%", "100%"]},
    "max_hosts": {"type": "int", "default": 50},
}
CONFIRM_WITHIN = {"type": "int", "default": 600}
# What is kept of a host before it was changed, after that, and after it was put back.
BEFORE, AFTER, ROLLED_BACK = "before", "after", "rolled_back"
STAGE = {"type": "str", "choices": [BEFORE, AFTER, ROLLED_BACK]}
_ROUTE = {part: {"type": "str", "default": ""} for part in ("listen", "server", "location", "pass", "endpoint")}
FINDINGS = {
    "type": "list",
    "elements": "dict",
    "options": {
        "id": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": ["cause", "risk", "advice"], "default": "cause"},
        "routes": {"type": "list", "elements": "dict", "options": _ROUTE, "default": []},
    },
}

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_PROBE = 300.0
_LONGEST_WINDOW = 3660 * 86400
_LONGEST_CONFIRMATION = 86400
_KINDS = {"bool": "true or false", "float": "a number", "int": "a whole number", "list": "a list", "path": "a path", "str": "text"}
_TYPES = {"bool": bool, "list": list, "str": str}
_VALUE_LENGTH = 200


class BadSetting(ValueError):
    """A setting that cannot be used; its text says what was set, and what may be."""


def wrong_kind(name: str, value: object, spec: dict) -> BadSetting:
    """Return the error for a value that does not fit its specification, one of those above; name is without "bad_gateway_"."""
    wanted = f"one of {', '.join(spec['choices'])}" if "choices" in spec else _KINDS[spec["type"]]
    return BadSetting(f"bad_gateway_{name} is {repr(value)[:_VALUE_LENGTH]}; it must be {wanted}.")


def seconds(written: str) -> float:
    """Return the seconds that a window such as 90, 30m, 24h or 7d stands for."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", written.strip(), re.ASCII)
    if not match or not float(match.group(1)):
        raise BadSetting(
            f"bad_gateway_since is {written!r}; it must be a number above zero with a unit: 90s, 30m, 24h, 7d or 2w."
        )
    length = float(match.group(1)) * _UNITS[match.group(2) or "s"]
    if length > _LONGEST_WINDOW:
        raise BadSetting(f"bad_gateway_since is {written!r}; it must be at most {_LONGEST_WINDOW // 86400}d.")
    return length


def check_names(names: list[str]) -> None:
    """Refuse a variable that begins as ours do and that nothing reads."""
    for name in sorted(names):
        if name.startswith("bad_gateway_") and name not in VARIABLES:
            raise BadSetting(
                f"{name} is not a variable of this collection.{_near(name, VARIABLES)} "
                f"The variables are: {', '.join(VARIABLES)}."
            )


def check_ids(variable: str, ids: list[str], known: list[str]) -> None:
    """Refuse an id that no rule has."""
    for name in ids:
        if name not in known:
            raise BadSetting(f"{variable} names {name!r}, which is not an id.{_near(name, known)} The ids are: {', '.join(sorted(known))}.")


def check_probe(path: str, timeout: float) -> None:
    """Refuse a probe path that is not a path, and a timeout that no one would wait for."""
    if path and (not path.startswith("/") or not re.fullmatch(r"[\x21-\x7e]+", path)):
        raise BadSetting(f"bad_gateway_probe_path is {path!r}; it must begin with / and hold no space or control character.")
    if not 0 < timeout <= _LONGEST_PROBE:
        raise BadSetting(f"bad_gateway_probe_timeout is {timeout}; it must be above 0 and at most {_LONGEST_PROBE:.0f} seconds.")


def check_config(folder: str, path: str) -> None:
    """Refuse a proposed configuration that is no folder, and a place for it that is not absolute."""
    if not os.path.isdir(folder):
        raise BadSetting(f"bad_gateway_config is {folder!r}; it must be the folder that holds the proposed files, such as nginx.")
    if not path.startswith("/") or os.path.dirname(path) == "/":
        raise BadSetting(f"bad_gateway_config_path is {path!r}; it must be where the main file will be, such as /etc/nginx/nginx.conf.")


def allowed(variables: Mapping, known: list[str]) -> dict:
    """Return what the variables of one host allow on it, by the names of APPLY."""
    found = {}
    for name, spec in APPLY.items():
        value = variables.get(f"bad_gateway_{name}", spec["default"])
        if spec["type"] == "bool":
            value = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}.get(str(value).lower())
        elif spec["type"] == "list" and isinstance(value, str):
            value = [item.strip() for item in value.split(",")] if value else []
        fits = value in spec["choices"] if "choices" in spec else isinstance(value, _TYPES[spec["type"]])
        if not fits or isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise wrong_kind(name, variables[f"bad_gateway_{name}"], spec)
        found[name] = value
    check_ids("bad_gateway_allow", found["allow"], known)
    return found


def check_serial(sizes: list) -> None:
    """Refuse batches that hold no host, or that nobody can count."""
    for size in sizes or [""]:
        if isinstance(size, bool) or not re.fullmatch(r"[1-9][0-9]{0,5}|(?:[1-9][0-9]?|100)%", str(size), re.ASCII):
            raise BadSetting(f"bad_gateway_serial has {size!r}; each batch must be a number of hosts above zero, or a share such as '10%'.")


def check_limits(max_hosts: int, confirm_within: int) -> None:
    """Refuse a run that may change no host, and a time in which nothing can be verified."""
    if max_hosts < 1:
        raise BadSetting(f"bad_gateway_max_hosts is {max_hosts}; it must be above zero. To change nothing, set bad_gateway_apply=none.")
    if not 60 <= confirm_within <= _LONGEST_CONFIRMATION:
        raise BadSetting(f"bad_gateway_confirm_within is {confirm_within}; it must be from 60 to {_LONGEST_CONFIRMATION} seconds.")


def check_checkpoint(written: str) -> None:
    """Refuse what names no checkpoint."""
    if written not in ("newest", "list") and not re.fullmatch(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{4}", written):
        raise BadSetting(
            f"bad_gateway_checkpoint is {written!r}; it must be newest, list, or an id that list shows, such as 20261127T021836-cf25."
        )


def report_folder(path: str) -> str:
    """Return the absolute report folder, made when it is not there, after a trial write."""
    if not path:
        raise BadSetting("bad_gateway_report_dir is empty; it must be a folder.")
    folder = os.path.abspath(path)
    trial = os.path.join(folder, f".write-test-{os.getpid()}")
    try:
        os.makedirs(os.path.join(folder, "bundles"), mode=0o700, exist_ok=True)
        with open(trial, "w", encoding="utf-8"):
            pass
        os.unlink(trial)
    except OSError as error:
        raise BadSetting(f"bad_gateway_report_dir is {path!r}, and reports cannot be written there: {error.strerror} ({error.filename}).") from error
    return folder


def stage_folder(folder: str, stage: str) -> str:
    """Return where a report folder keeps the evidence of a stage."""
    return folder if stage == BEFORE else os.path.join(folder, stage)


def bundles(path: str) -> dict[str, str]:
    """Return the files of the bundles in a folder by the names of their hosts."""
    if not path:
        raise BadSetting("bad_gateway_bundles is empty; it must be a folder that holds bundles.")
    try:
        return _bundle.found(path)
    except ValueError as error:
        raise BadSetting(f"bad_gateway_bundles is {path!r}: {error}.") from None


def _near(name: str, known: list[str] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""
