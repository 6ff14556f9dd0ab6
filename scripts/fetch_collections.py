# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the collections that galaxy.yml names, from Galaxy or, where that cannot be reached, from PyPI.

    fetch_collections.py DESTINATION DOWNLOADS

PyPI has them inside the wheel of the `ansible` package (54 MB, kept in DOWNLOADS): a zip file with the folders
ansible_collections/<namespace>/<name>, each with a MANIFEST.json. Only what is asked for, and what that depends on, is unpacked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parent.parent
# The series that goes with ansible-core 2.19.
PACKAGE = "ansible==12.3.0"
GALAXY_SECONDS = 90


def from_galaxy(wanted: dict[str, str], destination: Path) -> bool:
    """Try Galaxy; False when it cannot be reached or refuses."""
    galaxy = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection", "install", "--timeout=10", f"--collections-path={destination}"]
    asked = [f"{name}:{version}" for name, version in wanted.items()]
    try:
        done = subprocess.run(galaxy + asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=GALAXY_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def wheel_of_package(downloads: Path) -> Path:
    """Return the wheel of PACKAGE, downloaded by pip when it is not there yet."""
    downloads.mkdir(parents=True, exist_ok=True)
    pattern = PACKAGE.replace("==", "-") + "-*.whl"
    if not list(downloads.glob(pattern)):
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq", "--no-deps", "--only-binary=:all:"]
        subprocess.run(pip + [f"--dest={downloads}", PACKAGE], stdin=subprocess.DEVNULL, check=True)
    return next(downloads.glob(pattern))


def unpack(wheel: Path, wanted: list[str], destination: Path) -> dict[str, str]:
    """Unpack collections and what they depend on; return their versions by name."""
    versions: dict[str, str] = {}
    todo = list(wanted)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        while todo:
            name = todo.pop()
            if name in versions:
                continue
            prefix = f"ansible_collections/{name.replace('.', '/')}/"
            members = [member for member in names if member.startswith(prefix)]
            if not members:
                sys.exit(f"{name} is not in {wheel.name}; take it from Ansible Galaxy")
            archive.extractall(destination, members)
            info = json.loads(archive.read(f"{prefix}MANIFEST.json"))["collection_info"]
            versions[name] = info["version"]
            todo.extend(info["dependencies"] or {})
    return versions


def main() -> None:
    """Fetch what galaxy.yml asks for."""
    destination, downloads = (Path(argument) for argument in sys.argv[1:3])
    wanted = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    if not wanted:
        return
    print(f"Fetching collections: {', '.join(sorted(wanted))}", flush=True)
    if from_galaxy(wanted, destination):
        return
    print(f"Galaxy cannot be reached: taking them from the Python package {PACKAGE}", flush=True)
    for name, version in sorted(unpack(wheel_of_package(downloads), list(wanted), destination).items()):
        print(f"  {name} {version}")


if __name__ == "__main__":
    main()
