#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the configuration of a running nginx anew, and prove that it was loaded."""

DOCUMENTATION = r"""
module: nginx_reload
short_description: Load the configuration of a running nginx anew, and prove it
version_added: 0.3.0
description:
  - Tests the configuration in a private overlay of the file system, tells the master process of nginx to load it, and proves that it did.
    The master has new workers then, which live, and the old ones have ended or are shutting down.
  - Neither C(nginx -s reload) nor C(systemctl reload) fails when nginx refuses what it read, which it does where a new port is taken by
    another process, or where a shared memory zone was given another key or path, although C(nginx -t) passes. This module fails
    then, and says what nginx said.
  - It fails too when the new workers do not live.
  - Nothing is loaded where the workers were started after the last change of every file of the configuration.
  - The module never starts, stops or restarts nginx, and never changes a file. A nginx that refused a configuration goes on with the one it had.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - The configuration is tested in check mode too.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: none
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Written for Linux. It reads C(/proc).
options:
  path:
    description:
      - The main configuration file of the nginx that is meant, such as V(/etc/nginx/nginx.conf). The default is that of the only one that runs,
        and of several the one whose configuration was changed.
      - Where the host has such an nginx of its own, those in containers are meant only when O(container) or O(master) says so.
    type: path
  master:
    description:
      - Process id of the master, where several have the same O(path).
    type: int
  container:
    description:
      - Id of the container whose nginx is meant. Its master gets the signal from the host, and is looked at in its own namespaces.
    type: str
    version_added: 0.4.0
  force:
    description:
      - Load the configuration though no file of it was changed. Names are resolved and certificates are read anew then.
    type: bool
    default: false
  missing:
    description:
      - What to do where no such nginx runs.
    type: str
    choices: [fail, ignore]
    default: fail
  test:
    description:
      - Whether the configuration is tested in a private overlay first. Where the overlay cannot be made, nginx alone decides.
    type: bool
    default: true
  checkpoint:
    description:
      - Id of the open checkpoint of M(webops.bad_gateway.checkpoint) under which the configuration was changed. When that is undone, nginx is told to
        load the files that are back.
    type: str
  timeout:
    description:
      - Seconds in which nginx must have read the configuration, and its old workers must have stopped to take connections.
    type: float
    default: 30
  settle:
    description:
      - Seconds for which the new workers must live.
    type: float
    default: 1
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.checkpoint
  - module: webops.bad_gateway.nginx_config_info
  - module: webops.bad_gateway.nginx_directive
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Load what was changed
  webops.bad_gateway.nginx_reload:
  become: true

- name: Let nginx resolve the names of its upstreams anew
  webops.bad_gateway.nginx_reload:
    path: /etc/nginx/nginx.conf
    force: true
  become: true
"""

RETURN = r"""
conf_path:
  description: The main configuration file.
  type: str
  returned: when such an nginx runs
  sample: /etc/nginx/nginx.conf
master:
  description: Process id of the master.
  type: int
  returned: when such an nginx runs
  sample: 812
reasons:
  description: Why the configuration was loaded, or would be in check mode; empty when there was nothing to load.
  type: list
  elements: str
  returned: success
  sample: [/etc/nginx/conf.d/shop.conf was changed after the workers were started]
workers:
  description: Process ids of the workers that take connections.
  type: dict
  returned: when such an nginx runs
  contains:
    before:
      description: Before the reload.
      type: list
      elements: int
      returned: always
    after:
      description: After it, the same as before when there was none.
      type: list
      elements: int
      returned: always
seconds:
  description: How long the reload and its proof took.
  type: float
  returned: when such an nginx runs
  sample: 1.2
messages:
  description: What nginx said, in the test and in its error log since.
  type: list
  elements: str
  returned: always
  sample: ["[emerg] bind() to 0.0.0.0:8080 failed (98: Address already in use)"]
"""

import functools
import secrets
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_reload as nginx_reload
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx

NO_NGINX = "no nginx runs{0}, and a reload never starts one"


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path"},
            "master": {"type": "int"},
            "container": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "missing": {"type": "str", "choices": ["fail", "ignore"], "default": "fail"},
            "test": {"type": "bool", "default": True},
            "checkpoint": {"type": "str"},
            "timeout": {"type": "float", "default": 30.0},
            "settle": {"type": "float", "default": 1.0},
        },
        supports_check_mode=True,
    )
    result = {"changed": False, "reasons": [], "messages": []}
    try:
        _run(module, result)
    except nginx_reload.Failed as error:
        result["messages"] = error.messages or result["messages"]
        said = ": {0}".format("; ".join(result["messages"][:3])) if result["messages"] else "."
        module.fail_json(msg=_of(result) + error.why + said, **result)
    except _checkpoint.CheckpointError as error:
        module.fail_json(msg=_of(result) + "not loaded: " + text.harmless(str(error), 1000), **result)
    except evidence.Unanswered as error:
        module.fail_json(msg=_of(result) + "it cannot be told whether the configuration is loaded: " + text.harmless(error.why, 500), **result)
    module.exit_json(**result)


def _of(result):
    return "The nginx of {0}: ".format(result["conf_path"]) if "conf_path" in result else ""


def _run(module, result):
    """Fill the result. Raises Failed and Unanswered."""
    asked, host = module.params, _host.Host()
    begin = time.monotonic()
    found = nginx.find(host, text.Redactor(secrets.token_hex(16)), _processes.scan(host))
    instance = nginx_reload.choose(found, asked["path"], asked["master"], asked["container"])
    if instance is None:
        if asked["path"] is None and asked["master"] is None and asked["container"] is None and len([one for one in found if one.master is not None]) > 1:
            # Each of several has what is on disk.
            return
        if asked["missing"] == "fail":
            raise nginx_reload.Failed(NO_NGINX.format(" with {0}".format(text.harmless(asked["path"])) if asked["path"] else ""))
        return
    serving = sorted(worker.pid for worker, leaving in instance.live_workers() if not leaving)
    result.update(
        conf_path=nginx_reload.shown(instance.conf_path), master=instance.master.pid, workers={"before": serving, "after": serving}, seconds=0.0
    )
    result["reasons"] = ["it was asked for"] if asked["force"] else nginx_reload.reasons(instance)
    if not result["reasons"]:
        return
    if asked["test"]:
        _test(instance, result)
    if module.check_mode:
        result["changed"] = True
        return
    note = functools.partial(_note, asked["checkpoint"]) if asked["checkpoint"] else None
    reload = nginx_reload.Reload(host, instance, asked["timeout"], asked["settle"], note)
    try:
        reload.run()
    finally:
        result.update(changed=bool(reload.after), seconds=round(time.monotonic() - begin, 2))
        result["workers"] = {"before": reload.before, "after": reload.after or reload.before}
    result["messages"] += reload.messages


def _note(checkpoint, pid):
    """Note in a checkpoint that a master is to load what was changed. Raises CheckpointError."""
    with _checkpoint.attach(checkpoint, "nginx_reload") as point:
        point.record_reload(pid)


def _test(instance, result):
    """Test the configuration. Raises Failed where it is not valid."""
    try:
        said = instance.test()
    except evidence.Unanswered as error:
        # nginx itself refuses what is not valid, and goes on with what it had.
        result["messages"].append("no test before the reload: {0}".format(text.harmless(error.why, 500)))
        return
    messages = ["[{level}] {text}".format(**one) + (" in {file}:{line}".format(**one) if one["file"] else "") for one in said["messages"]]
    if not said["valid"]:
        raise nginx_reload.Failed("its configuration is not valid, and was not loaded", messages)
    result["messages"] += messages


if __name__ == "__main__":
    main()
