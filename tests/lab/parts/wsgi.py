# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers "ok". /report waits WAIT seconds, /login sets cookies of COOKIE bytes in all."""

import os
import time


def application(environ, start_response):
    """Answer one request."""
    if environ["PATH_INFO"].endswith("/report"):
        time.sleep(float(os.environ.get("WAIT", "0")))
    headers = [("Content-Type", "text/plain")]
    if environ["PATH_INFO"].endswith("/login"):
        headers.append(("Set-Cookie", "session=" + "x" * int(os.environ.get("COOKIE", "0"))))
    start_response("200 OK", headers)
    return [b"ok\n"]
