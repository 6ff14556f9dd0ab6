# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proposed configuration is checked as docs/ci.md shows it, and the machine keeps every byte.

Needs root, nginx and openssl.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = CHECKOUT / ".cache" / "collections"
MODULE = "ansible_collections.webops.bad_gateway.plugins.modules.proposal_info"
WATCHED = ("/etc/nginx", "/etc/hosts", "/etc/passwd", "/etc/group", "/var/log/nginx", "/var/lib/nginx", "/run/nginx.pid")
MAIN = """user deploy;
pid /run/nowhere/nginx.pid;
error_log /var/log/nowhere/error.log;
include modules-enabled/*.conf;
events { }
http {
    include mime.types;
    proxy_cache_path /var/cache/nowhere/shop keys_zone=shop:1m;
    include /etc/nginx/sites-enabled/*;
}
"""
SITE = """upstream app { server app1.internal:3000; server app2.internal:3000; }
server {
    listen 198.51.100.7:443 ssl default_server;
    server_name shop.example;
    ssl_certificate /etc/ssl/nowhere/shop.pem;
    ssl_certificate_key ssl/shop.key;
    location / { proxy_pass http://app; include proxy_params; }
}
"""


@pytest.fixture(autouse=True)
def needs():
    assert os.geteuid() == 0, "run these tests as root: they make mount namespaces"
    assert os.path.exists("/usr/sbin/nginx"), "install nginx for these tests: apt-get install nginx-light"


@pytest.fixture
def tree(tmp_path):
    """A checkout with a configuration that is good on its hosts, and lacks much on this machine."""
    os.chmod(tmp_path, 0o755)
    folder = tmp_path / "nginx"
    (folder / "sites-available").mkdir(parents=True)
    (folder / "sites-enabled").mkdir()
    (folder / "nginx.conf").write_text(MAIN, encoding="utf-8")
    (folder / "sites-available" / "shop").write_text(SITE, encoding="utf-8")
    # As on a host: absolute, and so dangling in a checkout.
    (folder / "sites-enabled" / "shop").symlink_to("/etc/nginx/sites-available/shop")
    return folder


def state():
    listed = subprocess.run(["find", *WATCHED, "-printf", "%p %y %m %U %G %s %T@ %C@\\n"], capture_output=True, text=True, check=False)
    return sorted(listed.stdout.splitlines())


def environment():
    return dict(
        os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1", PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path),
    )


def asked(tree, **arguments):
    """Run the module and return (what nginx -t answered, the notes)."""
    before = state()
    ran = subprocess.run(
        [sys.executable, "-m", MODULE], input=json.dumps({"ANSIBLE_MODULE_ARGS": dict(arguments, tree=str(tree))}),
        capture_output=True, text=True, check=False, env=environment(), timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert state() == before
    result = json.loads(ran.stdout)
    (instance,) = result["answers"]["nginx"]["value"]["instances"]
    return instance["test"], result["notes"]


def test_what_is_not_here_is_stood_in_for(tree):
    test, notes = asked(tree)
    assert (test["status"], test["value"]["valid"]) == ("ok", True), test
    notes = "\n".join(notes)
    for words in ("in place of /etc/nginx/ssl/shop.key, /etc/ssl/nowhere/shop.pem", "app1.internal, app2.internal", "user or group deploy", "198.51.100.7"):
        assert words in notes


def test_it_is_an_error_where_that_is_wanted(tree):
    test, notes = asked(tree, stand_ins=False)
    assert (test["value"]["valid"], notes) == (False, [])


@pytest.mark.parametrize(("old", "new", "said"), [
    ("proxy_pass", "proxy_passs", 'unknown directive "proxy_passs"'),
    ("include proxy_params", "include nowhere.conf", 'open() "/etc/nginx/nowhere.conf" failed'),
    ("include proxy_params", "proxy_buffer_size 16k", '"proxy_busy_buffers_size" must be less than'),
    ("ssl_certificate_key ssl/shop.key;", "", 'no "ssl_certificate_key" is defined'),
])
def test_errors_are_found_through_the_stand_ins(tree, old, new, said):
    site = tree / "sites-available" / "shop"
    site.write_text(SITE.replace(old, new), encoding="utf-8")
    test, _notes = asked(tree)
    assert test["value"]["valid"] is False
    assert any(said in message["text"] for message in test["value"]["messages"]), test


def test_sites_of_the_machine_do_not_count(tree):
    """Debian's own site is in /etc/nginx/sites-enabled of this machine, or might be."""
    (tree / "sites-enabled" / "shop").unlink()
    (tree / "sites-enabled" / "default").write_text("server { listen 80 default_server; listen [::]:80 default_server; }", encoding="utf-8")
    assert asked(tree)[0]["value"]["valid"] is True
    (tree / "sites-enabled" / "other").write_text("server { listen 80 default_server; }", encoding="utf-8")
    assert "a duplicate default server" in asked(tree)[0]["value"]["messages"][0]["text"]


def test_an_alias_of_another_place(tree):
    (tree / "nginx.conf").write_text(MAIN.replace("/etc/nginx/", "/opt/web/conf/").replace("mime.types", "/etc/nginx/mime.types"), encoding="utf-8")
    (tree / "sites-enabled" / "shop").unlink()
    (tree / "sites-enabled" / "shop").symlink_to("../sites-available/shop")
    (tree / "sites-available" / "shop").write_text("server { listen 8081; nonsense; }", encoding="utf-8")
    test, _notes = asked(tree, path="/opt/web/conf/nginx.conf")
    assert [(one["text"], one["file"]) for one in test["value"]["messages"] if one["level"] == "emerg"] == [
        ('unknown directive "nonsense"', "/opt/web/conf/sites-enabled/shop")
    ]


# --- the examples


def commands(heading):
    """Return the lines that an example of docs/ci.md runs."""
    text = (CHECKOUT / "docs" / "ci.md").read_text(encoding="utf-8")
    example = yaml.safe_load(re.search(rf"^## {heading}\n.*?```yaml\n(.*?)```", text, re.MULTILINE | re.DOTALL).group(1))
    (job,) = example["jobs"].values() if "jobs" in example else example.values()
    return [step["run"] for step in job["steps"] if "run" in step] if "steps" in job else job["script"]


def run(lines, folder, *before):
    """Run lines as a CI job does, in a checkout; return (code, the host in report.json, output)."""
    ran = subprocess.run(
        [*before, "sh", "-eu", "-c", "\n".join(lines)], cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=300,
    )
    output = ran.stdout + ran.stderr
    report = folder / "bad_gateway_report" / "report.json"
    assert report.exists(), output
    return ran.returncode, json.loads(report.read_text(encoding="utf-8"))["hosts"]["localhost"], output


def test_the_example_for_github(tree):
    command = [line for line in commands("GitHub Actions") if line.startswith("ansible-playbook")]
    assert len(command) == 1
    # Root already; not every machine has sudo.
    command = [command[0].replace(" --become", "")]
    before = state()
    code, host, output = run(command, tree.parent)
    assert (code, host["status"]) == (0, "partial"), output
    site = tree / "sites-available" / "shop"
    site.write_text(SITE.replace("proxy_pass http", "proxy_pas http"), encoding="utf-8")
    code, host, output = run(command, tree.parent)
    assert code != 0 and [(one["id"], one["kind"], one["at"]) for one in host["findings"]] == [
        ("config-invalid", "cause", {"file": "/etc/nginx/sites-enabled/shop", "line": 7})
    ], output
    site.write_text(SITE.replace("proxy_pass http://app;", "set $b backend.internal; proxy_pass http://$b:3000;"), encoding="utf-8")
    code, host, output = run(command, tree.parent)
    assert code != 0 and [(one["id"], one["kind"]) for one in host["findings"]] == [("dns-resolver-missing", "risk")], output
    assert run([command[0].replace("fail_on=risk", "fail_on=cause")], tree.parent)[0] == 0
    assert state() == before


def test_the_example_for_gitlab(tree):
    """In namespaces and without the capability to mount, as in a container of a CI service."""
    (tree / "nginx.conf").write_text("events { }\nhttp { include mime.types; include sites-enabled/*; }", encoding="utf-8")
    (tree / "sites-available" / "shop").write_text("server { listen 8081; location / { proxy_pass http://127.0.0.1:3000; } }", encoding="utf-8")
    lines = [line for line in commands("GitLab CI") if not line.startswith(("apt-get", "pip", "ansible-galaxy"))]
    assert len(lines) == 2
    before = state()
    # What it writes goes to copies in memory.
    written = ("/etc/nginx", "/var/log/nginx", "/var/lib/nginx")
    kept = " && ".join(f"cp -a {path} /media/{number} && mount --bind /media/{number} {path}" for number, path in enumerate(written))
    enter = f'mount -t tmpfs none /media && {kept} && exec "$@"'
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    before_words = ["unshare", "-m", "--propagation", "private", "sh", "-eu", "-c", enter, "sh", *without]
    code, host, output = run(lines, tree.parent, *before_words)
    assert (code, host["status"], host["findings"]) == (0, "diagnosed", []), output
    code, host, output = run([line.replace("test=plain", "test=overlay") for line in lines], tree.parent, *before_words)
    assert code != 0 and host["status"] == "failed" and "bad_gateway_config_test says how else" in host["why"], output
    (tree / "sites-available" / "shop").write_text("server { listen 8081; nonsense; }", encoding="utf-8")
    code, host, output = run(lines, tree.parent, *before_words)
    assert code != 0 and [one["id"] for one in host["findings"]] == ["config-invalid"], output
    assert state() == before
