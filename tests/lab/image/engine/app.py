# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application in the containers of a lab host: app.py --help."""

from __future__ import annotations

import argparse
import http.server
import os
import sys
import time

KEPT = []


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers each path; /catalogue takes memory and keeps it, /health says what --health says."""

    options: argparse.Namespace

    def do_GET(self) -> None:
        """Answer a request."""
        if self.path == "/catalogue":
            KEPT.extend(b"x" * (1 << 20) for _number in range(self.options.catalogue))
        status = self.options.health if self.path == "/health" else 200
        body = b"ok\n" if status == 200 else b"the database does not answer\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the container is stopped."""
    options = argparse.ArgumentParser()
    options.add_argument("--host", default="0.0.0.0")
    options.add_argument("--port", type=int, default=3000)
    options.add_argument("--warm-up", type=float, default=0, help="seconds before the port is open")
    options.add_argument("--catalogue", type=int, default=5, help="MiB that /catalogue takes")
    options.add_argument("--health", type=int, default=200, help="the status of /health")
    options.add_argument("--database", default="", help="a file that must be there; the application ends without it")
    Pages.options = chosen = options.parse_args()
    if chosen.database and not os.path.exists(chosen.database):
        sys.exit(f"cannot open the database {chosen.database}: no such file or directory")
    time.sleep(chosen.warm_up)
    http.server.ThreadingHTTPServer((chosen.host, chosen.port), Pages).serve_forever()


if __name__ == "__main__":
    main()
