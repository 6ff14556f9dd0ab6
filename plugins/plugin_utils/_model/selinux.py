# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux lets nginx do: the kernel's own decisions for each endpoint and listen, and what it logged as denied.

A decision is asked for with the context of a worker, or of the master for a listen. The probe that connects as the worker's user does not
run in that context: that it gets through says nothing about SELinux.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint

ENFORCING, PERMISSIVE = "enforcing", "permissive"
CONNECT, CONNECT_TO, WRITE, SEARCH = "name_connect", "connectto", "write", "search"


def kind_of(context: str) -> str:
    """Return the type in a context: of a process its domain, of a file its label; "" where there is none."""
    fields = context.split(":")
    return fields[2] if len(fields) > 2 else ""


@dataclass(frozen=True)
class Label:
    """A type that a port or socket could have instead.

    allowed   nginx may use what has it, as things stand
    booleans  each of which alone, turned on, would let it; None where that cannot be told
    """

    type: str
    allowed: bool
    booleans: tuple[str, ...] | None

    @classmethod
    def of(cls, value: dict) -> Label:
        """Return the label of an answer."""
        return cls(value["type"], bool(value.get("allowed")), _names(value.get("booleans")))


@dataclass(frozen=True)
class Check:
    """One thing that nginx must be allowed for a connection.

    name        the class of the kernel's question, such as "tcp_socket"
    permission  such as those above
    target      the context of the port, socket, folder or process
    allowed     None where the kernel gave no decision
    booleans    each of which alone, turned on, would allow it; None where that cannot be told
    port        of name_connect, or None; record is the range of ports of its entry in the policy, local whether somebody of the host made that
    labels      types that port, or socket, could have instead
    path        of a file, or ""; expected is the context that the policy's file contexts give it, "" for none
    """

    name: str
    permission: str
    target: str
    allowed: bool | None
    booleans: tuple[str, ...] | None = None
    port: int | None = None
    record: tuple[int, ...] = ()
    local: bool = False
    labels: tuple[Label, ...] = ()
    path: str = ""
    expected: str = ""

    @classmethod
    def of(cls, value: dict) -> Check:
        """Return the check of an answer."""
        return cls(
            name=value["class"],
            permission=value["permission"],
            target=value.get("target") or "",
            allowed=value.get("allowed"),
            booleans=_names(value.get("booleans")),
            port=value.get("port"),
            record=tuple(value.get("record") or ()),
            local=bool(value.get("local")),
            labels=tuple(Label.of(item) for item in value.get("labels") or ()),
            path=value.get("path") or "",
            expected=value.get("expected") or "",
        )

    @property
    def kind(self) -> str:
        """Return the type of its target."""
        return kind_of(self.target)

    @property
    def question(self) -> str:
        """Return the question to the kernel in words: "name_connect of tcp_socket on ntop_port_t"."""
        return f"{self.permission} of {self.name} on {self.kind}" + (f" ({self.path})" if self.path else "")


@dataclass(frozen=True)
class Access:
    """What the kernel decides about a connection of nginx to an endpoint.

    enforced    SELinux enforces on this host
    permissive  the worker's domain is one that is only watched
    source      the context of the worker
    """

    enforced: bool
    permissive: bool
    source: str
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, value: dict | None, mode: str) -> Access | None:
        """Return the decisions of a probe; None where there are none."""
        if not value or value.get("status") != evidence.OK:
            return None
        checks = tuple(Check.of(item) for item in value.get("checks") or ())
        return cls(mode == ENFORCING, bool(value.get("permissive")), value.get("source") or "", checks)

    @property
    def domain(self) -> str:
        """Return the domain of the worker."""
        return kind_of(self.source)

    @property
    def refused(self) -> tuple[Check, ...]:
        """Return what its domain may not do."""
        return () if self.permissive else tuple(check for check in self.checks if check.allowed is False)

    @property
    def undecided(self) -> tuple[Check, ...]:
        """Return what the kernel gave no decision about."""
        return tuple(check for check in self.checks if check.allowed is None)

    @property
    def denies(self) -> bool:
        """Return whether the kernel denies nginx the endpoint now."""
        return self.enforced and bool(self.refused)

    @property
    def allows(self) -> bool:
        """Return whether the kernel decided everything, and for nginx."""
        return self.permissive or bool(self.checks) and all(check.allowed for check in self.checks)


@dataclass(frozen=True)
class Bind:
    """What the kernel decides about a port on which nginx is to listen and does not; the rest as in Check."""

    instance: str
    port: int
    type: str
    source: str
    allowed: bool | None
    permissive: bool
    record: tuple[int, ...] = ()
    local: bool = False
    labels: tuple[Label, ...] = ()

    @classmethod
    def of(cls, value: dict) -> Bind:
        """Return the decision of an answer."""
        return cls(
            instance=value["instance"],
            port=value["port"],
            type=value.get("type") or "",
            source=value.get("source") or "",
            allowed=value.get("allowed"),
            permissive=bool(value.get("permissive")),
            record=tuple(value.get("record") or ()),
            local=bool(value.get("local")),
            labels=tuple(Label.of(item) for item in value.get("labels") or ()),
        )

    @property
    def domain(self) -> str:
        """Return the domain of the master."""
        return kind_of(self.source)

    @property
    def refused(self) -> bool:
        """Return whether the domain of the master may not bind the port."""
        return self.allowed is False and not self.permissive


@dataclass(frozen=True)
class Denial:
    """Records of the kernel that say that nginx was denied something."""

    source: str
    target: str
    name: str
    permissions: tuple[str, ...]
    port: int | None
    path: str
    count: int
    last: float
    permissive: bool
    logged_in: str

    @classmethod
    def of(cls, value: dict) -> Denial:
        """Return the group of an answer."""
        return cls(
            source=value.get("scontext") or "",
            target=value.get("tcontext") or "",
            name=value.get("tclass") or "",
            permissions=tuple(value.get("permissions") or ()),
            port=value.get("port"),
            path=value.get("path") or "",
            count=value.get("count") or 1,
            last=value.get("last") or 0.0,
            permissive=bool(value.get("permissive")),
            logged_in=value.get("from") or "audit log",
        )

    @property
    def says(self) -> str:
        """Return the records in words."""
        what = f" port {self.port}" if self.port else f" {self.path}" if self.path else ""
        return f"denied {{ {' '.join(self.permissions)} }} to {kind_of(self.source)} on {self.name} {kind_of(self.target)}{what}"


@dataclass(frozen=True)
class Selinux:
    """SELinux on a host; mode is "" where it does not run, or that is not known, booleans_at_boot None where they cannot be told."""

    mode: str = ""
    boot: str = ""
    policy: str = ""
    booleans: dict = field(default_factory=dict)
    booleans_at_boot: dict | None = None
    contexts: dict = field(default_factory=dict)
    listens: tuple[Bind, ...] = ()
    denials: tuple[Denial, ...] = ()

    @classmethod
    def of(cls, value: dict | None) -> Selinux:
        """Return the model of an answer; an older one has no more than the mode and booleans."""
        value = value or {}
        return cls(
            mode=value.get("mode") or "",
            boot=value.get("boot") or "",
            policy=value.get("policy") or "",
            booleans=value.get("booleans") or {},
            booleans_at_boot=value.get("booleans_at_boot"),
            contexts=value.get("contexts") or {},
            listens=tuple(Bind.of(item) for item in value.get("listens") or ()),
            denials=tuple(Denial.of(item) for item in value.get("denials") or ()),
        )

    @property
    def enforcing(self) -> bool:
        """Return whether SELinux enforces."""
        return self.mode == ENFORCING

    def domain_of(self, pid: int) -> str:
        """Return the domain of a process, or ""."""
        return kind_of(self.contexts.get(str(pid)) or "")

    def denial_at(self, endpoint: Endpoint, paths: tuple[str, ...], since: float, kinds: tuple[str, ...] = ()) -> Denial | None:
        """Return the newest records of a denial at an endpoint since a moment.

        paths are the names that a socket may have in them, kinds the types of the socket, of its folders and of who listens, where they are known:
        a record may name the last part of a path alone, which sockets of several applications share.
        """
        found = [
            item
            for item in self.denials
            if not item.permissive and item.last >= since and _fits(item, endpoint, paths) and (not kinds or kind_of(item.target) in kinds)
        ]
        return max(found, key=lambda item: item.last, default=None)


def _fits(denial: Denial, endpoint: Endpoint, paths: tuple[str, ...]) -> bool:
    if endpoint.kind == "tcp":
        return CONNECT in denial.permissions and denial.port == endpoint.port
    if denial.name not in ("sock_file", "unix_stream_socket", "dir") or not {WRITE, CONNECT_TO, SEARCH} & set(denial.permissions):
        return False
    # A record of the audit system may name the last part of a path alone.
    return any(denial.path in (path, path.rpartition("/")[2]) or denial.name == "dir" and path.startswith(f"{denial.path}/") for path in paths if denial.path)


def _names(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)
