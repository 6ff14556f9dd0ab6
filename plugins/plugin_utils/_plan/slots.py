# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change touches: the files it names, and the places that no other change may want to be different.

A change is an item of a role's argument, as its argument specification has it. Some of its words say where, the others what is wanted there.

This module is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK, harmless
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives

# Words that say where; of roles that are not named here, the block and the module of nginx.
_WHERE = {
    "temp_path_owner": ("path",),
    "unit_order": ("unit",),
    "start_backend": ("manager", "name", "user", "home"),
    "start_container": ("engine", "id", "name"),
    "connect_network": ("engine", "id", "name", "network"),
    "nginx_limits": ("context", "unit"),
    "reload_nginx": ("path", "master"),
    "start_nginx": ("unit",),
    "selinux_boolean": ("name",),
    "selinux_port": ("port", "protocol"),
    **dict.fromkeys(("fpm_listen", "uwsgi_buffer", "backend_timeout", "backend_workers"), ("unit",)),
}
_IN_NGINX = ("context", "module")
# Words that say neither.
_ASIDE = ("replaces", "endpoint", "apply", "php_fpm", "also", "directive", "started")
# Lines that two remedies write.
_SAME_LINE = {
    ("websocket_headers", "headers"): "proxy_set_header Connection",
    ("websocket_headers", "connection"): "proxy_set_header Connection",
    ("upstream_keepalive", "empty_connection"): "proxy_set_header Connection",
}


def _seconds(value: Any) -> float:
    return directives.seconds(str(value)) or 0.0


def _bytes(value: Any) -> int:
    return directives.size(str(value)) or 0


# Of two values for one place, the larger does for both: the value that says which is larger, or "" for each value by itself.
_LARGER: dict[str, tuple[str, Callable[[Any], float]]] = {
    "upstream_timeout": ("", _seconds),
    "response_buffers": ("buffer_size", _bytes),
    "nginx_limits": ("", _bytes),
}
# Lists that are joined in one change, and the words in which two changes have to be equal for that.
_TOGETHER = {
    "selinux_port": ("booleans", ("port", "protocol", "type")),
    "selinux_fcontext": ("restore", ("pattern", "ftype", "type")),
}


def text(item: Any) -> str:
    """Return a text that is equal for equal changes."""
    return json.dumps(item, sort_keys=True, ensure_ascii=True)


def is_hidden(item: Any) -> bool:
    """Return whether a change holds a word that was hidden on the host."""
    return MARK in text(item)


def is_harmful(item: Any) -> bool:
    """Return whether a change holds a word that a terminal would act on: the values of tasks are shown to people."""
    if isinstance(item, dict):
        return any(map(is_harmful, item.values()))
    if isinstance(item, (list, tuple)):
        return any(map(is_harmful, item))
    return isinstance(item, str) and harmless(item) != item


def files(items: Iterable[Any]) -> tuple[str, ...]:
    """Return the files of nginx's configuration that changes name."""
    return tuple(dict.fromkeys(place["file"] for item in items for place in _places(item)))


def container(item: Any) -> str:
    """Return the id of the container whose nginx a change is for, or ""."""
    return (item.get("context") or {}).get("container") or ""


def within(item: Any, identity: str) -> Any:
    """Return a change with every context in it named to be that of a container."""
    if isinstance(item, dict):
        inner = {key: within(value, identity) for key, value in item.items()}
        return inner | ({"context": {**inner["context"], "container": identity}} if isinstance(inner.get("context"), dict) else {})
    if isinstance(item, (list, tuple)):
        return [within(inner, identity) for inner in item]
    return item


def _places(value: Any) -> Iterator[dict]:
    """Yield every {"file", "line"}, and {"block", "file"}, in a change."""
    if isinstance(value, dict):
        if isinstance(value.get("file"), str) and ("line" in value or "block" in value):
            yield value
        for inner in value.values():
            yield from _places(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _places(inner)


def of(remedy: str, item: dict) -> dict[tuple, str]:
    """Return the places that a change sets, and what to."""
    if remedy == "selinux_fcontext":
        # A pattern labels other paths too; a record has one type.
        return {("label", name): item["type"] for name in filter(None, (item.get("pattern"), item["path"], *item.get("restore", ())))}
    if "at" in item:
        return {(*_statement(item["at"]), container(item)): text(item.get("args"))}
    found = {(remedy, _where(remedy, item)): ""}
    for key, value in _wanted(remedy, item).items():
        if key == "servers" and remedy == "upstream_group":
            found |= {(*_statement(server["at"]), container(item)): text(server) for server in value if "at" in server}
        elif key == "ini":
            found |= {("ini", value["file"], value["section"], option["name"]): text(option["value"]) for option in value["options"]}
        elif key == "command":
            found[("command", item["unit"], value["option"])] = text(value["value"])
        elif (remedy, key) in _SAME_LINE:
            # True or a text: what matters is which remedy writes it.
            found[(_SAME_LINE[remedy, key], _where(remedy, item))] = remedy
        else:
            found[(remedy, _where(remedy, item), key)] = text(value)
    return found


def clash(one: dict[tuple, str], other: dict[tuple, str]) -> bool:
    """Return whether two changes want a place to be different."""
    return any(one[place] != other[place] for place in one.keys() & other.keys())


def both(remedy: str, one: dict, other: dict) -> dict | None:
    """Return a change that does for both of two that are for one place, or None."""
    if remedy in _TOGETHER:
        key, same = _TOGETHER[remedy]
        alike = all(one.get(word) == other.get(word) for word in same) and one.get(same[0])
        return {**one, key: list(dict.fromkeys((*_listed(one, key), *_listed(other, key))))} if alike else None
    if remedy not in _LARGER or _where(remedy, one) != _where(remedy, other):
        return None
    by, measure = _LARGER[remedy]
    if by:
        return max(one, other, key=lambda item: measure(item.get(by)))
    wanted = {key: max((item[key] for item in (one, other) if key in item), key=measure) for key in {**_wanted(remedy, one), **_wanted(remedy, other)}}
    before = {**one.get("replaces", {}), **other.get("replaces", {})}
    return {**one, **wanted, **({"replaces": before} if before else {})}


def _listed(item: dict, key: str) -> Iterable[str]:
    """Return a list of a change; without one, a label is for its path alone."""
    return item.get(key) or ([item["path"]] if "path" in item else [])


def _statement(place: dict) -> tuple:
    return ("statement", place["file"], place["line"])


def _where(remedy: str, item: dict) -> str:
    said = {key: item[key] for key in _WHERE.get(remedy, _IN_NGINX) if key in item}
    if isinstance(said.get("context"), dict):
        # The words that are expected there say nothing new.
        said["context"] = {key: value for key, value in said["context"].items() if key != "expects"}
    return text(said)


def _wanted(remedy: str, item: dict) -> dict:
    return {key: value for key, value in item.items() if key not in (*_WHERE.get(remedy, _IN_NGINX), *_ASIDE)}
