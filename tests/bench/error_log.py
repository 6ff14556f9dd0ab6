# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the error log collector against "grep -c upstream", in one run on one machine.

    python tests/bench/error_log.py [--megabytes 1024] [--share 0.25] [--folder /tmp]

Run it with the collection importable. It writes a log (share: the part of its lines that are about
upstreams; the rest is what scanners leave), reads it once with the bound that a run has by default and
once as a whole, and prints ratios and the peak of memory. Times are those of the processor, so that what else runs on
the machine matters little. The log is removed afterwards.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import error_log

END = (
    ' while {phase}, client: 203.0.113.{a}, server: shop.example, request: "GET /api/v1/items/{n}?page={a} HTTP/1.1", '
    'upstream: "{upstream}", host: "shop.example"'
)
UPSTREAM = (
    ("connect() failed (111: Connection refused)", "connecting to upstream", "http://127.0.0.1:3000/api/v1/items/{n}"),
    ("upstream timed out (110: Connection timed out)", "reading response header from upstream", "http://127.0.0.1:3001/api/v1/items/{n}"),
    ("upstream prematurely closed connection", "reading response header from upstream", "http://127.0.0.1:3002/api/v1/items/{n}"),
    ("connect() to unix:/run/php/php8.2-fpm.sock failed (2: No such file or directory)", "connecting to upstream", "fastcgi://unix:/run/php/php8.2-fpm.sock:"),
    ("no live upstreams", "connecting to upstream", "http://backend/api/v1/items/{n}"),
)
OTHER = (
    'open() "/var/www/html/wp-content/{n}.php" failed (2: No such file or directory), client: 203.0.113.{a}, server: shop.example, '
    'request: "GET /wp-content/{n}.php HTTP/1.1", host: "shop.example"',
    'access forbidden by rule, client: 203.0.113.{a}, server: shop.example, request: "GET /.git/config HTTP/1.1", host: "shop.example"',
    "SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking, client: 203.0.113.{a}, server: 0.0.0.0:443",
)


def _line(number, share, begin):
    stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(begin + number / 50.0))
    if random.random() < share:
        message, phase, upstream = random.choice(UPSTREAM)
        body = message + END.replace("{upstream}", upstream).replace("{phase}", phase)
    else:
        body = random.choice(OTHER)
    body = body.replace("{n}", str(number)).replace("{a}", str(number % 250))
    return "{0} [error] {1}#{1}: *{2} {3}\n".format(stamp, 3190 + number % 4, number, body)


def _write(path, megabytes, share):
    """Write the log: one piece of 20,000 different lines, again and again."""
    begin = time.time() - 3600
    piece = "".join(_line(number, share, begin) for number in range(20000)).encode("ascii")
    with open(path, "wb") as file:
        for _unused in range(max(1, (megabytes << 20) // len(piece))):
            file.write(piece)


def _used(whose):
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def _grep(path):
    start = _used(resource.RUSAGE_CHILDREN)
    lines = int(subprocess.check_output(["grep", "-c", "upstream", path]))
    return _used(resource.RUSAGE_CHILDREN) - start, lines


def _collect(path, limit):
    start = _used(resource.RUSAGE_SELF)
    result = error_log.collect(_host.Host(), [{"path": path}], redactor=text.Redactor("bench"), limit=limit)
    return _used(resource.RUSAGE_SELF) - start, sum(group["count"] for group in result.value["groups"])


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the error log collector against grep -c upstream.")
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    random.seed(502)
    handle, path = tempfile.mkstemp(prefix="error_log_bench_", dir=options.folder)
    os.close(handle)
    try:
        _write(path, options.megabytes, options.share)
        _grep(path)
        grep, lines = _grep(path)
        print("python {0}, {1} MB, {2:.0%} of the lines about upstreams".format(sys.version.split()[0], options.megabytes, options.share))
        print("grep -c upstream, whole file  {0:8.2f} s  {1} lines".format(grep, lines))
        for name, limit in (("default bound", error_log.LIMIT), ("whole file", 1 << 50)):
            seconds, counted = _collect(path, limit)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
            print("collector, {0:<18} {1:8.2f} s  {2} records  {3:.1f} x grep  peak {4:.0f} MB".format(name, seconds, counted, seconds / grep, peak))
    finally:
        os.unlink(path)


if __name__ == "__main__":
    main()
