#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which changes of this collection can be undone on a host."""

DOCUMENTATION = r"""
module: checkpoint_info
short_description: Tell which changes of this collection can be undone on a host
version_added: 0.3.0
description:
  - Lists the checkpoints of a host, the newest first, with what each would put back.
  - The module does not fail when the question cannot be answered; the answer says why. It needs root.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.checkpoint
"""

EXAMPLES = r"""
- name: Ask what can be undone
  webops.bad_gateway.checkpoint_info:
  register: result
  become: true

- name: Stop when a change is not confirmed
  ansible.builtin.assert:
    that: result.checkpoints.value | selectattr('state', 'equalto', 'open') | length == 0
  when: result.checkpoints.status == 'ok'
"""

RETURN = r"""
checkpoints:
  description: The answer.
  returned: always
  type: dict
  contains:
    status:
      description: How the question was answered. One of V(ok), V(denied) and V(error).
      type: str
      returned: always
      sample: ok
    asked:
      description: What was asked.
      type: str
      returned: always
    why:
      description: Why there is no value, or an empty string.
      type: str
      returned: always
      sample: ""
    truncated:
      description: Whether a bound cut the answer short.
      type: bool
      returned: always
      sample: false
    hidden:
      description: What this answer could not see.
      type: list
      elements: str
      returned: always
      sample: []
    value:
      description: The checkpoints, the newest first. None unless RV(checkpoints.status) is V(ok).
      type: list
      elements: dict
      returned: always
      contains:
        id:
          description: Id of the checkpoint.
          type: str
          returned: always
          sample: 20261127T021836-cf25
        state:
          description:
            - V(open) is not confirmed yet, V(confirmed) is kept, V(rolled-back) is undone and proved to be as it was, and V(unverified) is undone, but not all
              of it is as it was.
          type: str
          returned: always
          sample: confirmed
        overdue:
          description: Whether it is open and its time to be confirmed is over.
          type: bool
          returned: always
          sample: false
        reason:
          description: For what it was made.
          type: str
          returned: always
          sample: remediate
        by:
          description: Who had logged in to make it.
          type: str
          returned: always
          sample: deploy
        opened:
          description: When it was made, in seconds since the epoch.
          type: float
          returned: always
        files:
          description: Paths that were saved.
          type: list
          elements: str
          returned: always
          sample: [/etc/nginx/nginx.conf]
        units:
          description: Units, programs, memberships and containers that were saved.
          type: list
          elements: str
          returned: always
          sample: [shop.service]
        settings:
          description: Booleans, types of ports and labels of paths of SELinux that were saved.
          type: list
          elements: str
          returned: always
          sample: [SELinux boolean httpd_can_network_relay]
          version_added: 0.4.0
        differs:
          description: What is not as it was before, and would be put back; empty for one that is rolled back.
          type: list
          elements: str
          returned: always
          sample: ["/etc/nginx/nginx.conf (content)"]
        left:
          description: What could not be put back; or, for one that was not undone yet, what undoing would leave, as somebody else has changed it since.
          type: list
          elements: str
          returned: always
          sample: []
        says:
          description: All this in one sentence.
          type: str
          returned: always
          sample: "20261127T021836-cf25: confirmed, 2026-11-27 02:18:36 UTC by deploy (remediate); would put back /etc/nginx/nginx.conf (content)"
        folder:
          description: Where everything that was saved is.
          type: str
          returned: always
          sample: /var/lib/webops_bad_gateway/20261127T021836-cf25
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _restore
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_SENTENCE = 2000
ASKED = _checkpoint.ROOT


def checkpoints(root=_checkpoint.ROOT):
    """Return what the answer lists. Raises Unanswered."""
    if os.geteuid() != 0:
        raise evidence.Unanswered(evidence.DENIED, "only root can read {0}".format(root))
    try:
        return [described(point) for point in reversed(_checkpoint.listed(root))]
    except OSError as error:
        raise evidence.unanswered_by(error, root)


def described(point):
    """Return one checkpoint."""
    book = point.book
    undone = book.last("undone")
    differs = [] if point.state == _restore.ROLLED_BACK else _checkpoint.would_change(point)
    left = undone["conflicts"] + undone["unverified"] if undone else _checkpoint.changed_by_others(point)
    return {
        "id": point.id,
        "state": point.state,
        "overdue": point.state == _restore.OPEN and _checkpoint.overdue(point),
        "reason": text.harmless(book.opened["reason"], MAX_SENTENCE),
        "by": text.harmless(book.opened["by"], MAX_SENTENCE),
        "opened": book.opened["at"],
        "files": [text.harmless(_safe_files.shown(path), MAX_SENTENCE) for path in book.items],
        "units": [text.harmless(name, MAX_SENTENCE) for name in others(book)],
        "settings": [text.harmless(_selinux_local.told(key), MAX_SENTENCE) for key in book.settings],
        "differs": [text.harmless(each, MAX_SENTENCE) for each in differs],
        "left": [text.harmless(each, MAX_SENTENCE) for each in left],
        "says": text.harmless(sentence(point, differs, left), MAX_SENTENCE),
        "folder": point.folder,
    }


def sentence(point, differs, left):
    """Return one checkpoint in a sentence."""
    opened = point.book.opened
    said = "{0}: {1}, {2} by {3}".format(point.id, point.state, _checkpoint.clock(opened["at"]), opened["by"])
    if opened["reason"]:
        said += " ({0})".format(opened["reason"])
    if left:
        said += "; left: " + "; ".join(left)
    if point.state != _restore.ROLLED_BACK:
        said += "; would put back " + ", ".join(differs) if differs else "; nothing to put back"
    return said


def others(book):
    """Return the names of what was saved besides files."""
    found = [record["name"] for record in book.all("unit")]
    found += ["{manager} {name}".format(**record) for record in book.all("program")]
    found += ["{user} in {group}".format(**record) for record in book.all("member")]
    found += ["container {name}".format(**record) for record in book.all("container")]
    return list(dict.fromkeys(found))


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, checkpoints=evidence.ask(ASKED, checkpoints))


if __name__ == "__main__":
    main()
