# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the lab's hosts, built from Debian packages: a Debian with systemd, nginx and every kind of backend, and the same with an engine.

The tag is a hash of the recipe, so that an image is built once and again only when the recipe changes.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import time

from lab_base import CACHE, HERE, LabError, attempt, run, say

NAME = "bad-gateway-lab"
SUITE = "bookworm"
PACKAGES = (
    "acl",
    "autossh",
    "curl",
    "dbus",
    "dnsmasq-base",
    "gunicorn",
    "iproute2",
    "iptables",
    "iputils-ping",
    "libnginx-mod-stream",
    "logrotate",
    "memcached",
    "nftables",
    "nginx-light",
    "nodejs",
    "openssh-server",
    "openssl",
    "php8.2-fpm",
    "procps",
    "python3",
    "sudo",
    "supervisor",
    "systemd",
    "systemd-sysv",
    "uwsgi-core",
    "uwsgi-plugin-python3",
)
# No Debian package holds PM2.
PM2 = "pm2@7.0.4"
FINISH = HERE / "image" / "finish.sh"
WAIT = HERE / "image" / "wait_for.py"
# Where the packages of the first image came from: apt's lists of sources, which the image itself does not keep.
SOURCES = CACHE / "sources.list"
# What a host that runs containers of its own has besides. Debian 12 has Compose as a program, and not as a plugin of docker.
ENGINE_PACKAGES = ("busybox-static", "docker-compose", "docker.io", "podman")
ENGINE_FOLDER = HERE / "image" / "engine"


def tag() -> str:
    """Return the image's name with the hash of everything that it is made from."""
    recipe = hashlib.sha256()
    for part in (SUITE, " ".join(PACKAGES), PM2):
        recipe.update(part.encode() + b"\0")
    for file in (FINISH, WAIT):
        recipe.update(file.read_bytes() + b"\0")
    return f"{NAME}:{recipe.hexdigest()[:12]}"


def engine_tag(base: str) -> str:
    """Return the name of the image of hosts with an engine, with the hash of everything that it is made from."""
    recipe = hashlib.sha256()
    for part in (base, " ".join(ENGINE_PACKAGES)):
        recipe.update(part.encode() + b"\0")
    for file in sorted(ENGINE_FOLDER.iterdir()):
        recipe.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{NAME}-engine:{recipe.hexdigest()[:12]}"


def mirrors() -> list[str]:
    """Return the lines of this machine's own package sources for SUITE; none lets mmdebstrap take its default."""
    if not shutil.which("apt-get"):
        return []
    form = "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)"
    code, output = attempt(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    lines = []
    for line in output.splitlines() if code == 0 else []:
        origin, codename, component, uri = (line.split("|") + [""] * 4)[:4]
        if origin == "Debian" and component == "main" and codename.startswith(SUITE) and uri.startswith("http"):
            lines.append(f"deb {uri} {codename} main")
    return lines if any(f" {SUITE} " in line for line in lines) else []


def fetch_pm2() -> str:
    """Return the folder that holds PM2 and what it needs, fetched once from the npm registry."""
    folder = CACHE / PM2
    if not (folder / "node_modules" / "pm2" / "bin" / "pm2").exists():
        if not shutil.which("npm"):
            raise LabError("npm is needed once, to fetch PM2 for the lab's image. Install the package npm and try again.")
        say(f"fetching {PM2} from the npm registry")
        folder.mkdir(parents=True, exist_ok=True)
        run(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", PM2], timeout=300)
    return str(folder)


def build(image: str) -> None:
    """Build the image. Raises LabError with the builder's last lines."""
    modules = fetch_pm2()
    root = CACHE / "root.tar"
    root.unlink(missing_ok=True)
    say(f"building the image {image} from Debian packages: about a minute, once")
    begun = time.monotonic()
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        f'--customize-hook=cat "$1"/etc/apt/sources.list > {shlex.quote(str(SOURCES))}',
        f'--customize-hook=sh {shlex.quote(str(FINISH))} "$1" {shlex.quote(modules)} {shlex.quote(str(WAIT))}',
        SUITE,
        str(root),
        *mirrors(),
    ]
    try:
        run(command, timeout=900)
        run(["docker", "import", "--change", 'CMD ["/lib/systemd/systemd"]', "--change", f"LABEL {NAME}=1", str(root), image], timeout=300)
    finally:
        root.unlink(missing_ok=True)
    say(f"built in {time.monotonic() - begun:.0f} s")


def build_engine(image: str, base: str) -> None:
    """Build the image of hosts with an engine on the first one. Raises LabError with the last lines of what failed."""
    say(f"building the image {image} from Debian packages: half a minute, once")
    begun = time.monotonic()
    sources = "\n".join(mirrors())
    if not sources:
        if not SOURCES.exists():
            # The first one was built by another checkout, or long ago.
            build(base)
        sources = SOURCES.read_text(encoding="utf-8")
    # The packages come over this machine's own network, as for the first image.
    options = ("--network=host", f"--volume={ENGINE_FOLDER}:/recipe:ro")
    builder = run(["docker", "create", *options, base, "sh", "/recipe/finish.sh", sources, *ENGINE_PACKAGES]).split()[-1]
    try:
        run(["docker", "start", "--attach", builder], timeout=900)
        run(["docker", "commit", "--change", 'CMD ["/usr/local/sbin/boot"]', builder, image], timeout=300)
    finally:
        attempt(["docker", "rm", "--force", builder])
    say(f"built in {time.monotonic() - begun:.0f} s")


def ensure(engine: bool = False) -> str:
    """Return the name of the image of hosts, with an `engine` of their own or without, building it when the engine of this machine does not have it."""
    image = tag()
    if not there(image):
        build(image)
    if not engine:
        return image
    base, image = image, engine_tag(image)
    if not there(image):
        build_engine(image, base)
    return image


def there(image: str) -> bool:
    """Say whether the engine of this machine has an image."""
    return attempt(["docker", "image", "inspect", "--format", "{{.Id}}", image])[0] == 0
