# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times how long the controller takes to judge 1,000 bundles, and how much memory that takes.

    judge.py [--bundles 1000] [--templates .cache/bench/report/bundles]

The bundles are copies of recorded ones (diagnose.py leaves those of its hosts), each under a name and with an address of its own, as
in a fleet of a few kinds of host.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / ".cache" / "collections"))

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _fleet, _version  # noqa: E402
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, terminal  # noqa: E402

# What the design asks for: seconds and bytes for 1,000 hosts.
LIMIT_SECONDS = 20.0
LIMIT_BYTES = 1 << 30


def load(folder: Path) -> list[dict]:
    """Return the recorded bundles."""
    bundles = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not bundles:
        sys.exit(f"{folder} has no bundles; tests/bench/diagnose.py records some")
    return bundles


def write_fleet(folder: str, templates: list[dict], count: int) -> list[str]:
    """Write `count` bundles into a report folder and return the names of their hosts."""
    (Path(folder) / "bundles").mkdir()
    names = []
    for number in range(count):
        bundle = dict(templates[number % len(templates)], host=f"host{number:04}")
        host = bundle["answers"].get("host", {})
        if host.get("value"):
            addresses = ["127.0.0.1", "::1", f"10.{number >> 8}.{number & 255}.1"]
            bundle["answers"] = dict(bundle["answers"], host=dict(host, value=dict(host["value"], addresses=addresses)))
        _bundle.write(folder, bundle)
        names.append(bundle["host"])
    return names


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time the judging of many bundles.")
    parser.add_argument("--bundles", type=int, default=1000)
    parser.add_argument("--templates", type=Path, default=CHECKOUT / ".cache" / "bench" / "report" / "bundles")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names = write_fleet(folder, load(given.templates), given.bundles)
        started = time.monotonic()
        results = _fleet.judge(_bundle.files(folder, names))
        judged = time.monotonic() - started
        file = document.write(folder, document.build(results, _version.VERSION, time.time()))
        lines = len(terminal.render(results, str(file)))
        spent = time.monotonic() - started
        size = Path(file).stat().st_size
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    causes = sum(finding.kind == "cause" for result in results for finding in result.findings)
    print(f"{given.bundles} bundles, {causes} causes: judged in {judged:.1f} s, with the report in {spent:.1f} s (at most {LIMIT_SECONDS:.0f} s asked for)")
    print(f"memory {memory >> 20} MiB (at most {LIMIT_BYTES >> 20} MiB asked for), report.json {size >> 10} KiB, {lines} lines on the terminal")
    return 0 if spent <= LIMIT_SECONDS and memory <= LIMIT_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
