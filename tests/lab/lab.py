# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line: `python tests/lab/lab.py --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import lab_demo
import lab_engine
import lab_faults
import lab_hosts
import lab_image
import lab_vm
from lab_base import ROOT, LabError, say


def fault_named(name: str) -> lab_faults.Fault:
    """Return a fault by its id."""
    known = lab_faults.load()
    if name not in known:
        raise LabError(f"there is no fault {name}. Known: {', '.join(known)}")
    return known[name]


def up(options: argparse.Namespace) -> None:
    """Start hosts, and bring them into a fault or its healthy look-alike when one is named."""
    fault = fault_named(options.fault) if options.fault else None
    for host in lab_hosts.start(options.names, options.machine or (fault.machine if fault else lab_faults.MACHINES[0])):
        if fault:
            lab_hosts.bring_into(host, fault, "healthy" if options.healthy else "fault")
        say(f"{host.name}: http://127.0.0.1:{host.http_port}/, SSH at port {host.ssh_port}")


def apply(options: argparse.Namespace) -> None:
    """Bring a running host into a fault or its healthy look-alike."""
    lab_hosts.bring_into(lab_hosts.find(options.name), fault_named(options.fault), "healthy" if options.healthy else "fault")


def prove(options: argparse.Namespace) -> None:
    """Send a fault's requests to a running host and print each status. Raises LabError when one is not the expected one."""
    host = lab_hosts.find(options.name)
    state = fault_named(options.fault).states["healthy" if options.healthy else "fault"]
    wrong = lab_hosts.prove(host, state.requests)
    if wrong:
        raise LabError("\n".join(wrong))
    for request in state.requests:
        say(f"{host.name}: http://{request.host}{request.path} gives {request.status:03d}")


def down(options: argparse.Namespace) -> None:
    """Remove the named hosts, or all of the lab."""
    if options.names:
        lab_hosts.remove(options.names)
    else:
        say(f"removed: {', '.join(lab_hosts.remove_all()) or 'nothing was there'}")


def show(options: argparse.Namespace) -> None:
    """List the hosts that run, or the faults there are."""
    if options.faults:
        for fault in lab_faults.load().values():
            print(f"{fault.id}\n    {fault.description} {fault.states['fault'].description}")
        return
    for name in lab_hosts.names():
        host = lab_hosts.find(name)
        print(f"{host.name}  {host.machine}  http://127.0.0.1:{host.http_port}/  ssh port {host.ssh_port}")


def inventory(options: argparse.Namespace) -> None:
    """Write an inventory of the hosts that run."""
    lab_hosts.write_inventory(options.file, [lab_hosts.find(name) for name in lab_hosts.names()])
    say(f"wrote {options.file}")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="lab.py", description="Hosts with a broken nginx, to try the collection on.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, does: object, text: str) -> argparse.ArgumentParser:
        """Add a command."""
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(does=does)
        return one

    add("engine", lambda options: lab_engine.ensure(), "install and start a Docker engine where none answers")
    add("image", lambda options: say(lab_image.ensure()), "build the containers' image when it is missing")
    add("disk", lambda options: say(str(lab_vm.ensure())), "build the virtual machines' disk when it is missing")
    one = add("up", up, "start hosts, each from nothing")
    one.add_argument("names", nargs="+", metavar="NAME")
    one.add_argument("--fault", help="bring the hosts into this fault and prove it by requests")
    one.add_argument("--healthy", action="store_true", help="into the fault's healthy look-alike instead")
    one.add_argument("--machine", choices=lab_faults.MACHINES, help="the kind of host; by default the one that the fault needs, or a container")
    for name, does, text in (("apply", apply, "bring a running host into a fault"), ("prove", prove, "send a fault's requests and check the statuses")):
        one = add(name, does, text)
        one.add_argument("name", metavar="NAME")
        one.add_argument("--fault", required=True, help="the fault's id")
        one.add_argument("--healthy", action="store_true", help="the fault's healthy look-alike instead")
    add("down", down, "remove hosts").add_argument("names", nargs="*", metavar="NAME", help="all hosts of the lab when none is named")
    add("list", show, "list the hosts that run").add_argument("--faults", action="store_true", help="list the known faults instead")
    add("inventory", inventory, "write an Ansible inventory of the hosts that run").add_argument(
        "file", nargs="?", type=Path, default=ROOT / ".cache" / "lab" / "inventory.yml"
    )
    one = add("demo", lambda options: lab_demo.COMMANDS[options.action](), "a small fleet of which three hosts fail")
    one.add_argument("action", choices=sorted(lab_demo.COMMANDS))
    return top


def main(words: list[str]) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(words)
    try:
        options.does(options)
    except LabError as problem:
        print(f"lab: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
