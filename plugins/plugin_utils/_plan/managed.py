# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that come from elsewhere: what is edited in them is lost with the next deployment.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.module_utils._mount_sources import HOST, IMAGE
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Instance

# Folders whose content is replaced as a whole: releases of a deployment, stores of packages, volumes of Kubernetes (atomic_writer.go), packages.
_REPLACED = re.compile(r"/releases?/[^/]+/|^/(?:nix|gnu)/store/|^/snap/|/\.\.data/|/\.\.[0-9]{4}_[0-9_.]+/|^/usr/(?!local/)")


def why(instance: Instance, path: str, headers_allowed: bool, containers: Iterable[dict] = ()) -> str:
    """Return why a configuration file is not to be edited, or "".

    headers_allowed: it may be although it says that a program writes it; containers are those of the host, as they were collected.
    """
    entry = instance.file(path)
    if not entry:
        return f"{path} was not read"
    real = entry.get("real_path") or path
    if (instance.raw.get("master") or {}).get("own_root"):
        source = entry.get("source") or {}
        if not instance.container or source.get("kind") not in (HOST, IMAGE):
            return f"{path} is a file of the container that nginx runs in{_because(source)}"
        if source["kind"] == IMAGE:
            return f"{path} is in the image of {_named(instance.container, containers)}: the image must change, or the file be mounted into the container"
        if _REPLACED.search(real):
            return f"{path} is in a folder that is replaced as a whole"
        real = source["path"]
    if _REPLACED.search(real):
        return f"{path}{f' is {real},' if real != path else ' is'} in a folder that is replaced as a whole"
    if entry.get("read_only"):
        return f"{path} is on a file system that is read-only"
    by = entry.get("managed") or ""
    if by and not headers_allowed:
        return f"{path} says that it is written by {by}"
    return ""


def _because(source: dict) -> str:
    return f" ({source['why']})" if source.get("why") else ""


def _named(identity: str, containers: Iterable[dict]) -> str:
    """Return a container in words."""
    found = next((one for one in containers if one.get("id") == identity), {})
    image = f" (image {found['image']})" if found.get("image") else ""
    return f"container {found.get('name') or identity[:12]}{image}"
