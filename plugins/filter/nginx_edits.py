# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the changes that a role is given to the edits that nginx_directive makes of them, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: nginx_edits
short_description: Make edits for nginx_directive out of changes that say values and no names
version_added: 0.3.0
description:
  - The roles that tune nginx take a list of changes, each with a block and a few values. This makes edits of them for
    M(webops.bad_gateway.nginx_directive), so that all are tested together and made in one go.
options:
  _input:
    description:
      - The changes. Each has a C(context), perhaps a C(module), values, and perhaps C(replaces) with the values that are to be there before.
    type: list
    elements: dict
    required: true
  directives:
    description:
      - By the name of a value the directive that gets it, with its first arguments where it has any that are always the same.
      - A V(*) at the beginning of a name stands for the module, which is V(proxy) where a change has none.
      - A value that is V(true) stands for the directive as it is, without any more arguments, and one that is V(false) for none. Of a string, each
        word is an argument.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Set the times that nginx waits
  webops.bad_gateway.nginx_directive:
    edits: "{{ changes | webops.bad_gateway.nginx_edits({'connect': ['*_connect_timeout'], 'read': ['*_read_timeout']}) }}"
  vars:
    changes:
      - context: {server_name: shop.example, location: /reports/}
        read: 120s
      - context: {server_name: shop.example, location: '~ \.php$'}
        module: fastcgi
        read: 120s
        replaces: {read: 60s}
"""

RETURN = r"""
_value:
  description: The edits.
  type: list
  elements: dict
"""


def nginx_edits(changes: Iterable[Mapping], directives: Mapping[str, list[str]]) -> list[dict]:
    """Return edits of nginx_directive; a change that sets nothing makes none."""
    edits = []
    for change in changes:
        wanted = [_directive(change, option, words) for option, words in directives.items() if change.get(option) not in (None, False)]
        if wanted:
            edits.append({"context": change["context"], "directives": wanted})
    return edits


def _directive(change: Mapping, option: str, words: list[str]) -> dict:
    name, *first = words
    if name.startswith("*"):
        name = f"{change.get('module') or 'proxy'}{name[1:]}"
    made: dict[str, Any] = {"name": name, "args": [*first, *_words(change[option])]}
    before = (change.get("replaces") or {}).get(option)
    if before is not None:
        made["replaces"] = [*first, *_words(before)]
    return made


def _words(value: Any) -> list[str]:
    return [] if value is True else str(value).split()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict:
        """Return them by name."""
        return {"nginx_edits": nginx_edits}
