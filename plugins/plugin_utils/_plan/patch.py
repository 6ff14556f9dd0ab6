# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that a change of nginx's configuration writes, as a unified diff, told from the evidence alone.

What the host hid is not known here: a diff that would have to show a hidden word, or a line with a comment, is none. The remedy itself
works on the host, with the true bytes, by the same code (_nginx_edit).

This module is private to the collection.
"""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterable, Iterator

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as edit
from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Instance

# By the names of values in changes, the directive that gets each, with its first arguments; "*" is the module. As the tasks of the roles have them.
VALUES = {
    "upstream_timeout": {"connect": ("*_connect_timeout",), "send": ("*_send_timeout",), "read": ("*_read_timeout",)},
    "response_buffers": {
        name: (f"*_{name}",) for name in ("buffer_size", "buffers", "busy_buffers_size", "temp_file_write_size", "max_temp_file_size")
    },
    "upstream_keepalive": {
        "keepalive": ("keepalive",),
        "timeout": ("keepalive_timeout",),
        "http_version": ("proxy_http_version",),
        "empty_connection": ("proxy_set_header", "Connection", ""),
        "keep_conn": ("fastcgi_keep_conn",),
    },
    "nginx_limits": {"worker_rlimit_nofile": ("worker_rlimit_nofile",), "worker_connections": ("worker_connections",)},
}
# Remedies whose changes name the directive and its arguments.
LINES = ("repoint_upstream", "upstream_scheme", "upstream_uri")


def of(instance: Instance, remedy: str, items: Iterable[dict]) -> str:
    """Return the diff of what a remedy does to one nginx, without lines around it; "" where it is not known, or there is none."""
    try:
        found = _configuration(instance)
        for item in items:
            for directive in _directives(remedy, item):
                found.apply(edit.Context(**{key: value for key, value in item["context"].items() if key != "container"}), directive)
    except (edit.Refused, KeyError, TypeError, ValueError):
        return ""
    here = {file.get("real_path") or file["path"]: (file.get("source") or {}).get("path") for file in instance.raw.get("files") or ()}
    lines = [line for real in found.changed() for line in _diff(found.files[real], here.get(real) or real)]
    told = not any(MARK in line or "#" in line for line in lines if not line.startswith(("--- ", "+++ ", "@@ ")))
    return "\n".join(lines) if told else ""


def _configuration(instance: Instance) -> edit.Configuration:
    files = [file for file in instance.raw.get("files") or () if file.get("status") == "ok" and file.get("content")]
    return edit.Configuration(
        instance.raw.get("conf_path") or instance.id,
        {file["path"]: base64.b64decode(file["content"]) for file in files},
        {file["path"]: file.get("real_path") or file["path"] for file in files},
        {include["pattern"]: include["matches"] for include in instance.raw.get("includes") or ()},
    )


def _directives(remedy: str, item: dict) -> Iterator[edit.Directive]:
    """Yield what a change wants of each directive. Raises KeyError where that is not known here."""
    if remedy in LINES:
        at = item.get("at")
        yield edit.Directive(
            item["directive"], edit.encode(item["args"]), replaces=edit.encode(item["replaces"]) if "replaces" in item else None,
            at=edit.Place(at["file"], at["line"]) if at else None,
        )
        return
    for option, (name, *first) in VALUES[remedy].items():
        value = item.get(option)
        if value not in (None, False):
            before = (item.get("replaces") or {}).get(option)
            yield edit.Directive(
                name.replace("*", item.get("module") or "proxy"), edit.encode([*first, *_words(value)]),
                replaces=None if before is None else edit.encode([*first, *_words(before)]),
            )


def _words(value: object) -> list[str]:
    return [] if value is True else str(value).split()


def _diff(file, path: str) -> list[str]:
    """Return the lines of the diff of one file."""
    before, after = (raw.decode("utf-8", "backslashreplace").splitlines() for raw in (file.before, file.raw))
    return list(difflib.unified_diff(before, after, path, path, n=0, lineterm=""))
