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

# Models of hosts that are kept at a time.
_KEPT = 32
# Addresses that many hosts have: they name no host.
_COMMON = ("127.", "::1", "fe80:", "172.17.0.1", "0.", "::")


class Fleet:
    """The bundles of a run. Models of hosts are made when they are asked for; the newest are kept."""

    def __init__(self, files: dict[str, str], addresses: dict[str, str] | None = None) -> None:
        """Files are the bundles by host, see _bundle.files() and _bundle.found(); addresses as the property, where it is known already."""
        self._files = files
        self._addresses = addresses
        self.model = functools.lru_cache(maxsize=_KEPT)(self._model)

    @functools.cached_property
    def addresses(self) -> dict[str, str]:
        """Return the host that has an address; "" where several have it, which it does not tell apart."""
        if self._addresses is not None:
            return self._addresses
        found: dict[str, str] = {}
        for name, file in self._files.items():
            for address in _addresses(_bundle.read(file, name)):
                found[address] = "" if address in found else name
        return found

    def judge(self, name: str, only: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> HostResult:
        """Return the result of a host; only and skip are ids of rules, empty for all and none."""
        return _judge.judge(_bundle.read(self._files[name], name), only, skip, self._peer_at)

    def _model(self, name: str) -> Host | None:
        """Return the model of a host, or None where its evidence allows none: why is said where that host is judged."""
        bundle = _bundle.read(self._files[name], name)
        try:
            return Host.of(bundle) if bundle["answers"] else None
        except Exception:  # pylint: disable=broad-except
            return None

    def _peer_at(self, address: str) -> Host | None:
        name = self.addresses.get(address)
        return self.model(name) if name in self._files else None


def judge(files: dict[str, str], only: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> list[HostResult]:
    """Return the results of hosts; files are their bundles by name."""
    fleet = Fleet(files)
    return [fleet.judge(name, only, skip) for name in files]


def _addresses(bundle: dict) -> list[str]:
    value = (bundle["answers"].get("host") or {}).get("value")
    addresses = value.get("addresses") if isinstance(value, dict) else None
    return [address for address in addresses or () if isinstance(address, str) and not address.startswith(_COMMON)]
