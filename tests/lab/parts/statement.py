# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers "ok". /statement takes SIZE MiB of memory for WAIT seconds."""

import os
import time


def application(environ, start_response):
    """Answer one request."""
    if environ["PATH_INFO"].startswith("/statement"):
        rows = [bytearray(b"x") * (1 << 20) for _number in range(int(os.environ.get("SIZE", "1")))]
        time.sleep(float(os.environ.get("WAIT", "0")))
        del rows
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok\n"]
