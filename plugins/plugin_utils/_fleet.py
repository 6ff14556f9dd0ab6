# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All hosts of a run, judged together: the evidence of one explains what another sees of it.

This module is private to the collection.
"""

from __future__ import annotations

import functools

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _judge
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import HostResult
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host

# Addresses that many hosts have: they name no host.
_COMMON = ("127.", "::1", "fe80:", "172.17.0.1", "0.", "::")


def judge(files: dict[str, str], only: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> list[HostResult]:
    """Return the results of hosts; files are their bundles by name, see _bundle.files() and _bundle.found()."""
    addresses: dict[str, str] = {}
    for name, file in files.items():
        for address in _addresses(_bundle.read(file, name)):
            # Two hosts with one address are not told apart by it.
            addresses[address] = "" if address in addresses else name

    @functools.lru_cache(maxsize=32)
    def model(name: str) -> Host | None:
        bundle = _bundle.read(files[name], name)
        try:
            return Host.of(bundle) if bundle["answers"] else None
        except Exception:  # pylint: disable=broad-except
            # What is wrong with its evidence is said where that host is judged itself.
            return None

    def peer_at(address: str) -> Host | None:
        name = addresses.get(address)
        return model(name) if name else None

    return [_judge.judge(_bundle.read(file, name), only, skip, peer_at) for name, file in files.items()]


def _addresses(bundle: dict) -> list[str]:
    value = (bundle["answers"].get("host") or {}).get("value")
    addresses = value.get("addresses") if isinstance(value, dict) else None
    return [address for address in addresses or () if isinstance(address, str) and not address.startswith(_COMMON)]
