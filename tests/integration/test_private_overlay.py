# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx -t in the private overlay: it says what nginx says, and the host keeps every byte.

Needs root and nginx; nothing listens on an address that others reach.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _overlay as overlay

NGINX = "/usr/sbin/nginx"


@pytest.fixture(autouse=True)
def needs():
    assert os.geteuid() == 0, "run these tests as root: they make mount namespaces"
    assert os.path.exists(NGINX), "install nginx for these tests: apt-get install nginx-light"


@pytest.fixture(params=["/var/tmp", "/dev/shm", "/run"])
def folder(request):
    """A folder on the root file system, and on two that are mounted below it where there are any."""
    path = tempfile.mkdtemp(prefix="overlay-", dir=request.param)
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def state(*folders):
    """Everything that a change would show in: names, modes, owners, sizes, times and bytes."""
    seen = {}
    for top in folders:
        for path, _folders, files in os.walk(top):
            for name in [""] + files:
                file = os.path.join(path, name)
                status = os.lstat(file)
                digest = hashlib.sha256(open(file, "rb").read()).hexdigest() if name and os.path.isfile(file) else ""
                seen[file] = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns, status.st_ctime_ns, digest)
    return seen


def configuration(folder, inside="", user="www-data"):
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"user {user}; pid {folder}/new.pid; error_log {folder}/new-error.log; events {{ }}\n"
            f"http {{ access_log {folder}/access.log; proxy_temp_path {folder}/temp/proxy 1 2; client_body_temp_path {folder}/body;\n"
            f"proxy_cache_path {folder}/cache levels=1 keys_zone=a:1m;\n"
            f"server {{ listen 127.0.0.1:28999; listen unix:{folder}/listen.sock; {inside} }} }}\n"
        )
    return path


def test_the_host_keeps_every_byte(folder):
    path = configuration(folder)
    os.mkdir(os.path.join(folder, "temp"))
    with open(os.path.join(folder, "access.log"), "wb") as file:
        file.write(b"x" * (1 << 20))
    watched = [one for one in (folder, "/etc/nginx", "/var/lib/nginx") if os.path.exists(one)]
    before = state(*watched)
    said = overlay.test([NGINX, "-c", path], [os.path.join(folder, "access.log")])
    assert said == {"valid": True, "messages": [], "how": "overlay"}
    assert state(*watched) == before
    assert not [line for line in open("/proc/self/mountinfo", encoding="utf-8") if folder in line]


def test_the_plain_test_would_not(folder):
    """The proof above is worth something: without the overlay the same test leaves traces."""
    path = configuration(folder)
    os.mkdir(os.path.join(folder, "temp"))
    before = state(folder)
    os.spawnv(os.P_WAIT, NGINX, [NGINX, "-q", "-t", "-c", path])
    assert state(folder) != before


def test_what_nginx_says(folder):
    said = overlay.test([NGINX, "-c", configuration(folder, "proxy_passs http://a;")])
    assert said["valid"] is False
    assert said["messages"] == [{"level": "emerg", "text": 'unknown directive "proxy_passs"', "file": os.path.join(folder, "nginx.conf"), "line": 4}]


def test_a_huge_log_is_not_copied(folder):
    path = configuration(folder)
    os.mkdir(os.path.join(folder, "temp"))
    log = os.path.join(folder, "access.log")
    with open(log, "wb") as file:
        file.truncate(200 << 20)
    before = state(folder)
    assert overlay.test([NGINX, "-c", path], [log])["valid"] is True
    assert state(folder) == before


def test_a_test_that_takes_too_long_is_ended(folder):
    program = os.path.join(folder, "slow")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nsleep 60\n")
    os.chmod(program, 0o755)
    with pytest.raises(overlay.evidence.Unanswered) as caught:
        overlay.test([program], timeout=2.5)
    assert caught.value.status in ("timeout", "error")


def test_as_the_user_that_nginx_runs_as(folder):
    program = os.path.join(folder, "who")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nprintf 'nginx: [emerg] uid %s gid %s\\n' `id -u` `id -g` >&2\nexit 1\n")
    os.chmod(program, 0o755)
    said = overlay.test([program], identity={"uid": 65534, "gid": 65533, "groups": [65533]})
    assert said["messages"][0]["text"] == "uid 65534 gid 65533"


def staged(folder, inside, **changes):
    """Return what nginx says of the configuration in folder after changes: {path: bytes or None}."""
    path = configuration(folder, inside)
    os.makedirs(os.path.join(folder, "temp"), exist_ok=True)
    before = state(folder)
    said = overlay.test([NGINX, "-c", path], **changes)
    assert state(folder) == before
    return said


def lines(said):
    return [(message["level"], os.path.basename(message["file"]), message["text"]) for message in said["messages"]]


def test_a_proposed_file_is_tested_in_place_of_the_live_one(folder):
    main = os.path.join(folder, "nginx.conf")
    live = open(configuration(folder), "rb").read()
    assert staged(folder, "", staged={main: live.replace(b"listen unix", b"lisssten unix")})["messages"][0]["text"] == 'unknown directive "lisssten"'
    assert staged(folder, "proxy_passs http://a;", staged={main: live})["valid"] is True


def test_a_new_file_in_a_new_folder(folder):
    new = os.path.join(folder, "new", "deep", "site.conf")
    inside = f"include {folder}/new/deep/*.conf;"
    assert staged(folder, inside)["valid"] is True
    assert lines(staged(folder, inside, staged={new: b"proxy_passs x;"})) == [("emerg", "site.conf", 'unknown directive "proxy_passs"')]


def test_a_file_that_is_to_be_absent(folder):
    gone = os.path.join(folder, "gone.conf")
    with open(gone, "w", encoding="utf-8") as file:
        file.write("proxy_passs x;")
    assert staged(folder, f"include {folder}/gone*.conf;")["valid"] is False
    assert staged(folder, f"include {folder}/gone*.conf;", staged={gone: None, gone + "-never-there": None})["valid"] is True


def test_a_link_is_followed_to_its_target(folder):
    os.mkdir(os.path.join(folder, "available"))
    target, link = os.path.join(folder, "available", "site"), os.path.join(folder, "site.conf")
    with open(target, "w", encoding="utf-8") as file:
        file.write("gzip on;")
    os.symlink(target, link)
    for path in (target, link):
        assert lines(staged(folder, f"include {link};", staged={path: b"gzipp on;"})) == [("emerg", "site.conf", 'unknown directive "gzipp"')]


def test_owner_and_mode_stay(folder):
    """A program in the place of nginx shows what nginx would see."""
    program, secret, new = (os.path.join(folder, name) for name in ("look", "secret", "fresh/new"))
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nprintf 'nginx: [emerg] %s\n' \"$(stat -c '%n %u:%g %a' {secret} {folder}/fresh {new} | tr '\n' ' ')\" >&2\nexit 1\n")
    os.chmod(program, 0o755)
    with open(secret, "w", encoding="utf-8") as file:
        file.write("old")
    os.chown(secret, 33, 34)
    os.chmod(secret, 0o640)
    os.chown(folder, 0, 35)
    os.chmod(folder, 0o750)
    said = overlay.test([program], staged={secret: b"newer", new: b"x"})
    assert said["messages"][0]["text"].split() == [secret, "33:34", "640", f"{folder}/fresh", "0:35", "750", new, "0:35", "640"]
    assert open(secret, encoding="utf-8").read() == "old" and not os.path.exists(new)


def test_what_cannot_be_staged_is_said(folder):
    with pytest.raises(overlay.evidence.Unanswered, match="not a regular file"):
        staged(folder, "", staged={folder: b""})
    with pytest.raises(overlay.evidence.Unanswered, match="must be absolute"):
        staged(folder, "", staged={"nginx.conf": b""})


@pytest.fixture
def elsewhere(folder):
    """A process in a mount namespace of its own, where one file of folder is a mount, and another lies on a file system of its own."""
    path = configuration(folder, f"include {folder}/one.conf; include {folder}/own/*.conf;")
    os.makedirs(os.path.join(folder, "temp"))
    os.makedirs(os.path.join(folder, "own"))
    for name in ("one.conf", "mounted.conf"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("gzip on;" if name == "mounted.conf" else "")
    script = (
        f"mount --bind {folder}/mounted.conf {folder}/one.conf && mount -t tmpfs none {folder}/own "
        f"&& echo 'gunzip on;' > {folder}/own/two.conf && echo ready && exec sleep 60"
    )
    process = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield path, process.pid
    process.kill()
    process.wait()
    process.stdout.close()


def test_in_another_mount_namespace_and_on_mounts(folder, elsewhere):
    path, pid = elsewhere
    before = state(folder)

    def said(**changes):
        return lines(overlay.test([NGINX, "-c", path], pid=pid, staged={os.path.join(folder, name): content for name, content in changes.items()}))

    assert said() == []
    assert said(**{"one.conf": b"gzipp on;"}) == [("emerg", "one.conf", 'unknown directive "gzipp"')]
    assert said(**{"own/two.conf": b"gunzipp on;"}) == [("emerg", "two.conf", 'unknown directive "gunzipp"')]
    assert said(**{"own/three.conf": b"gunzippp on;"}) == [("emerg", "three.conf", 'unknown directive "gunzippp"')]
    assert said(**{"one.conf": b"", "own/two.conf": None}) == []
    assert state(folder) == before
    assert open(f"/proc/{pid}/root{folder}/one.conf", encoding="utf-8").read() == "gzip on;"
    assert os.listdir(f"/proc/{pid}/root{folder}/own") == ["two.conf"]
