# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's evidence in a file, enough to judge the host again anywhere.

The shape of a bundle is in docs/bundles.md. A bundle is redacted before it leaves its host;
it still tells how a host is built, so its file is readable by its owner alone.

This module is private to the collection.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _version

COLLECTED = "collected"
NO_NGINX = "no-nginx"
UNREACHABLE = "unreachable"
FAILED = "failed"


def new(host: str, status: str, why: str = "", answers: dict | None = None, probes: dict | None = None) -> dict:
    """Return a bundle; status is one of the four above."""
    return {
        "schema": evidence.SCHEMA,
        "collection": _version.VERSION,
        "host": host,
        "status": status,
        "why": why,
        "answers": answers or {},
        "probes": probes or evidence.no_answer("probes", evidence.ABSENT, "no endpoint was probed"),
    }


def path(folder: str, host: str, kind: str = "bundles") -> str:
    """Return the file of a host's bundle, or what else a folder of the report folder keeps of it; a host's name never leaves that folder."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", host).lstrip(".")
    if name != host or len(name) > 100:
        digest = hashlib.sha256(host.encode("utf-8", "surrogatepass")).hexdigest()
        name = f"{name[:100]}-{digest[:8]}"
    return os.path.join(folder, kind, f"{name}.json")


def remove(folder: str, host: str, kind: str = "bundles") -> None:
    """Forget what an earlier run saw, so that it cannot be taken for this one."""
    try:
        os.unlink(path(folder, host, kind))
    except FileNotFoundError:
        pass


def write(folder: str, bundle: dict) -> str:
    """Write a bundle whole or not at all; return its file."""
    return write_of(folder, bundle["host"], "bundles", bundle)


def write_of(folder: str, host: str, kind: str, document: dict) -> str:
    """Write what a folder of the report folder keeps of a host; return its file."""
    file = path(folder, host, kind)
    os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
    write_json(file, document)
    return file


def read_of(folder: str, host: str, kind: str) -> dict | None:
    """Return what a folder of the report folder keeps of a host; None where there is nothing that can be read."""
    try:
        with open(path(folder, host, kind), encoding="utf-8") as stream:
            document = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def write_json(file: str, document: dict, indent: int | None = None) -> None:
    """Write JSON whole or not at all, readable by its owner alone."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(file), prefix=".")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            json.dump(document, stream, ensure_ascii=True, sort_keys=indent is None, indent=indent)
            stream.write("\n")
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise


def files(folder: str, hosts: list[str]) -> dict[str, str]:
    """Return the file of each host in a report folder, whether it is there or not."""
    return {host: path(folder, host) for host in hosts}


def found(folder: str) -> dict[str, str]:
    """Return the bundles that lie in a folder, or in the "bundles" of a report folder, by the names of their hosts.

    A file that is no bundle stands for a host that is called like it. Raises ValueError when there is none, or when
    two are of one host: which of them is meant is for a person to say.
    """
    inner = os.path.join(folder, "bundles")
    place = inner if os.path.isdir(inner) else folder
    try:
        names = sorted(name for name in os.listdir(place) if name.endswith(".json") and not name.startswith("."))
    except OSError as error:
        raise ValueError(f"{place} cannot be read: {error.strerror}") from error
    by_host: dict[str, str] = {}
    for name in names:
        file = os.path.join(place, name)
        host = read(file, name[: -len(".json")])["host"]
        if host in by_host:
            raise ValueError(f"{by_host[host]} and {file} are both of the host {host!r}; keep one of them in the folder")
        by_host[host] = file
    if not by_host:
        raise ValueError(f"there is no bundle (a file that ends in .json) in {place}")
    return by_host


def read(file: str, host: str) -> dict:
    """Return the bundle in a file; one that is missing or broken becomes a failed one of that host, which says so."""
    try:
        with open(file, encoding="utf-8") as stream:
            bundle = json.load(stream)
    except FileNotFoundError:
        return new(host, FAILED, "the run ended before this host gave any evidence")
    except (OSError, ValueError, RecursionError) as error:
        return new(host, FAILED, f"the evidence in {file} cannot be read: {error}")
    if not _known_format(bundle):
        newer = bundle.get("schema") if isinstance(bundle, dict) else None
        if isinstance(newer, int) and newer > evidence.SCHEMA:
            return new(host, FAILED, f"the evidence in {file} has format {newer}; this version knows formats up to {evidence.SCHEMA}: update the collection")
        return new(host, FAILED, f"the evidence in {file} has a format that this version does not know")
    return bundle


def _known_format(bundle: object) -> bool:
    if not isinstance(bundle, dict) or bundle.get("schema") != evidence.SCHEMA or bundle.get("status") not in (COLLECTED, NO_NGINX, UNREACHABLE, FAILED):
        return False
    if not isinstance(bundle.get("host"), str) or not isinstance(bundle.get("why"), str) or not isinstance(bundle.get("answers"), dict):
        return False
    answers = [*bundle["answers"].values(), bundle.get("probes")]
    return all(isinstance(answer, dict) and answer.get("status") in evidence.STATUSES for answer in answers)
