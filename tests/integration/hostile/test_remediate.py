# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose every text means harm are planned and put right: nothing of theirs is evaluated, no secret leaves them, and check mode changes nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import conftest
import content
import pytest
from conftest import Fleet
from lab_base import attempt
from lab_base import run as run_command
from running import PLAYBOOK, Run, assert_clean, assert_no_secret, play, texts
from test_bad_input import Trap, assert_refused
from test_hostile_hosts import state

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

SITE = "/etc/nginx/private/site.conf"
# A risk whose remedy edits the location with the hostile name.
KEPT = "keepalive-incomplete"
REMEDIATE = PLAYBOOK.with_name("remediate.yml")
ROLLBACK = PLAYBOOK.with_name("rollback.yml")


def remediate(folder: Path, inventory: Path | str, *words: str) -> Run:
    """Run the playbook."""
    return play(folder / "report", inventory, *words, playbook=REMEDIATE)


def plan_of(run: Run) -> dict:
    """Return plan.json."""
    return json.loads((run.folder / "plan.json").read_text(encoding="ascii"))


def site_of(fleet: Fleet) -> bytes:
    """Return the file of the hostile site."""
    return base64.b64decode(run_command(["docker", "exec", fleet.edge.container, "base64", SITE]))


def inventory_of(fleet: Fleet, folder: Path) -> Path:
    """Write an inventory of hosts of every kind."""
    hosts = {
        "edge": {"ansible_port": fleet.edge.ssh_port},
        "site": {"ansible_port": fleet.site.ssh_port},
        "plain": {"ansible_port": fleet.plain.ssh_port},
        "nameless": {"ansible_host": "no-such-host.invalid"},
    }
    return fleet.inventory(folder / "hosts.json", hosts)


@pytest.fixture(scope="module", name="before")
def _before(fleet: Fleet) -> str:
    """Return the state of the host before anything was planned."""
    return state(fleet)


@pytest.fixture(scope="module", name="checked")
def _checked(fleet: Fleet, before: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Go through everything that is allowed at most, in check mode, with the verbosity and the diffs that people use."""
    folder = tmp_path_factory.mktemp("checked")
    assert before
    return remediate(folder, inventory_of(fleet, folder), "--check", "--diff", "-vv", "-e", "bad_gateway_apply=risky", "-e", f"bad_gateway_allow={KEPT}")


def test_check_mode_ends_and_is_clean(checked: Run) -> None:
    """What would be done is shown, and nothing that harms or betrays."""
    assert checked.code == 0, checked.said[-4000:]
    assert_clean(checked)
    assert_no_secret("plan.json", (checked.folder / "plan.json").read_bytes())
    for said in texts(plan_of(checked)):
        assert text.harmless(said.replace("\n", "")) == said.replace("\n", ""), said


def test_check_mode_changes_nothing(fleet: Fleet, before: str, checked: Run) -> None:
    """Files, processes and listening sockets of the host are as they were, and no checkpoint was made."""
    assert checked.code == 0
    assert sorted(set(before.splitlines()) ^ set(state(fleet).splitlines())) == []
    assert attempt(["docker", "exec", fleet.edge.container, "test", "-e", "/var/lib/webops_bad_gateway"])[0] != 0


def test_the_difference_is_shown_without_what_is_around_it(checked: Run) -> None:
    """The lines that would be added are there, in the location with the hostile name."""
    assert b'+        proxy_set_header Connection "";' in checked.out and b"touch " + content.MARKER.encode() in checked.out


def test_the_plan_starts_the_unit_and_leaves_the_rest(checked: Run) -> None:
    """The unit with the hostile name is to be started; what a client forged into the log is in no change."""
    hosts = plan_of(checked)["hosts"]
    changes = {step["remedy"]: step["changes"] for step in hosts["edge"]["steps"]}
    assert [item["name"] for item in changes["start_backend"]] == [content.UNIT]
    (kept,) = changes["upstream_keepalive"]
    assert kept["context"]["expects"] == f"location {text.harmless(content.LOCATION)}"
    assert "/run/php/other.sock" not in json.dumps(changes) and "3999" not in json.dumps(changes)
    assert plan_of(checked)["batches"] == [["edge"]]
    assert not hosts["site"]["steps"]
    assert [hosts[name]["status"] for name in ("plain", "nameless")] == ["no-nginx", "unreachable"]


def test_nothing_was_evaluated_on_the_hosts(fleet: Fleet, checked: Run) -> None:
    """No template, no shell, on the hosts either."""
    assert checked.code == 0
    assert not conftest.marker_on(fleet.edge) and not conftest.marker_on(fleet.site)


def test_a_hostile_host_is_put_right_once_and_back_again(fleet: Fleet, tmp_path: Path) -> None:
    """The unit is started, the location edited, and both verified; a second run changes nothing; undone, all is as it was."""
    written = site_of(fleet)
    hosts = fleet.inventory(tmp_path / "hosts.json", {"edge": {"ansible_port": fleet.edge.ssh_port}})
    allowed = ("-e", f"bad_gateway_allow={KEPT}")
    done = remediate(tmp_path, hosts, "-vvv", "--diff", *allowed)
    assert done.code == 0, done.said[-4000:]
    assert_clean(done)
    assert done.report["hosts"]["edge"]["remediation"]["outcome"] == "remedied"
    assert b'proxy_set_header Connection "";' in site_of(fleet)
    again = remediate(tmp_path, hosts, *allowed)
    assert again.code == 0 and b"changed=0" in again.out and b"changed=1" not in again.out, again.said[-4000:]
    back = play(tmp_path / "report", hosts, "-vvv", "--diff", playbook=ROLLBACK)
    assert back.code == 0, back.said[-4000:]
    assert_clean(back)
    assert site_of(fleet) == written
    assert attempt(["docker", "exec", fleet.edge.container, "systemctl", "is-active", "--quiet", content.UNIT])[0] != 0
    assert not conftest.marker_on(fleet.edge)


ROLES = f"""
- hosts: edge
  gather_facts: false
  vars:
    word: !unsafe {json.dumps(content.TEMPLATE)}
    address: !unsafe {json.dumps(f"http://unix:/run/{content.TEMPLATE}:/%;")}
    place: {{server_name: shop.example, location: /}}
  tasks:
    - ansible.builtin.include_role: {{name: webops.bad_gateway.rate_limit}}
      vars:
        rate_limit_changes: [{{context: "{{{{ place }}}}", zone: "{{{{ word }}}}", rate: 10r/s, burst: 5, key: "{{{{ word }}}}"}}]
    - ansible.builtin.include_role: {{name: webops.bad_gateway.repoint_upstream}}
      vars:
        repoint_upstream_changes: [{{context: "{{{{ place }}}}", args: ["{{{{ address }}}}"], replaces: ["http://127.0.0.1:3000"]}}]
    - ansible.builtin.include_role: {{name: webops.bad_gateway.unit_order}}
      vars:
        unit_order_changes: [{{unit: nginx.service, after: ["{{{{ word }}}}"]}}]
"""


def test_what_a_host_says_is_no_template_as_an_argument_of_a_role(fleet: Fleet, tmp_path: Path) -> None:
    """Words go through the loops, filters and sums of the roles to the modules, and come there as they were."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"edge": {"ansible_port": fleet.edge.ssh_port}})
    playbook = tmp_path / "roles.yml"
    playbook.write_text(ROLES, encoding="utf-8")
    done = play(tmp_path / "report", hosts, "--check", "--diff", "-v", playbook=playbook)
    assert f'"zone={content.TEMPLATE}:10m"' in done.said and f'"http://unix:/run/{content.TEMPLATE}:/%;"' in done.said, done.said[-4000:]
    assert f"bad-gateway-after-{content.TEMPLATE}.conf" in done.said
    assert_no_secret("output", done.out + done.err)
    assert not conftest.marker_on(fleet.edge)


@pytest.fixture(name="trap")
def _trap():
    """Return a port in which nobody was when the test ends."""
    trap = Trap()
    yield trap
    visits = trap.visits()
    trap.close()
    assert visits == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bad_gateway_apply", "everything", "none, safe, risky"),
        ("bad_gateway_allow", "backend-not-runing", "backend-not-running"),
        ("bad_gateway_edit_managed", "perhaps", "true or false"),
        ("bad_gateway_serial", [0], "above zero"),
        ("bad_gateway_serial", "half", "half"),
        ("bad_gateway_max_hosts", 0, "bad_gateway_apply=none"),
        ("bad_gateway_confirm_within", 5, "from 60"),
    ],
)
def test_a_wrong_value(trap: Trap, tmp_path: Path, name: str, value: object, says: str) -> None:
    """It is refused before any host is asked, and named."""
    reach = {"ansible_host": "127.0.0.1", "ansible_port": trap.port}
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({"all": {"hosts": {"web1": reach, "web2": reach}}}), encoding="utf-8")
    assert_refused(remediate(tmp_path, hosts, "-e", json.dumps({name: value})), name, says)


def test_a_wrong_value_of_one_host_alone(trap: Trap, tmp_path: Path) -> None:
    """What is allowed on a host is its own variable, and checked for each host before any is asked."""
    reach = {"ansible_host": "127.0.0.1", "ansible_port": trap.port}
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({"all": {"hosts": {"web1": reach, "web2": {**reach, "bad_gateway_apply": "all"}}}}), encoding="utf-8")
    assert_refused(remediate(tmp_path, hosts), "bad_gateway_apply is 'all'")
