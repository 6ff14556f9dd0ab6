# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of a real nginx that runs on 127.0.0.1, and a role that is run for it as people run it."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

NGINX = "/usr/sbin/nginx"
CHECKPOINTS = pathlib.Path("/var/lib/webops_bad_gateway")
CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


class Tree:
    """A configuration that a real nginx runs with, and a playbook with one role for it."""

    def __init__(self, configuration, variables=None):
        """Start it; configuration has %d where its port is to be, variables are for the roles by whose name theirs begin."""
        self.folder = folder = pathlib.Path(tempfile.mkdtemp(prefix="roles-"))
        folder.chmod(0o755)
        self.variables = variables or {}
        self.main = folder / "nginx.conf"
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.main.write_text(configuration % port)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ca", "-days", "2",
             "-keyout", folder / "ca.key", "-out", folder / "ca.pem"],
            check=True, capture_output=True,
        )
        self.process = subprocess.Popen([NGINX, "-p", folder, "-c", self.main, "-e", folder / "error.log", "-g", "daemon off;"])
        deadline = time.monotonic() + 20
        while not (folder / "nginx.pid").exists():
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.05)

    def workers(self):
        return subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split()

    def files(self):
        return {path.name: path.read_text() for path in self.folder.glob("*.conf")}

    def play(self, role, changes, *options):
        """Run the role; return (whether it went well, whether something changed, all that was said)."""
        made = json.loads(json.dumps({f"{role}_changes": changes, **{key: value for key, value in self.variables.items() if key.startswith(role)}}).replace(
            "{folder}", str(self.folder)))
        place = {"path": str(self.main)}
        defaults = {"webops.bad_gateway.nginx_directive": {**place, "binary": NGINX}, "webops.bad_gateway.nginx_reload": place}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "module_defaults": defaults,
                "roles": [{"role": f"webops.bad_gateway.{role}", **made}]}
        playbook = self.folder / "play.json"
        playbook.write_text(json.dumps([play]))
        command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), str(playbook), *options]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
        return ran.returncode == 0, "changed=0" not in ran.stdout, ran.stdout + ran.stderr

    def close(self):
        """End it and remove its files, and the checkpoints of what was changed in them."""
        self.process.terminate()
        self.process.wait(20)
        for journal in CHECKPOINTS.glob("*/journal"):
            if str(self.folder) in journal.read_text(encoding="ascii"):
                shutil.rmtree(journal.parent)
        shutil.rmtree(self.folder)
