# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file that imports crossplane, a second reader of nginx configuration.

crossplane reads files of the controller only, so that the text goes through a temporary file. What
it gets wrong on valid files is listed in tree.py, where its reading is compared with the exact one.

This module is private to the collection.
"""

from __future__ import annotations

import os
import tempfile

try:
    import crossplane
except ImportError:  # said when it is needed: see read()
    crossplane = None


class MissingLibrary(Exception):
    """A Python library that this collection needs is not installed on the controller."""


def available() -> bool:
    """Return whether crossplane is installed."""
    return crossplane is not None


def read(raw: bytes) -> list[dict] | None:
    """Return crossplane's statements of one file, or None when it does not read the file to its end.

    A statement is {"directive": str, "args": [str], "line": int, "block": [...]}; block only where
    there is one. Raises MissingLibrary.
    """
    if crossplane is None:
        raise MissingLibrary("crossplane is not installed on the controller; install it with: python3 -m pip install crossplane")
    descriptor, path = tempfile.mkstemp(prefix="bad_gateway_", suffix=".conf")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        payload = crossplane.parse(path, single=True, check_ctx=False, check_args=False)
    finally:
        os.unlink(path)
    if payload["status"] != "ok":
        return None
    return payload["config"][0]["parsed"]
