# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/causes: a page for each id, from the rule itself, and an index.

    cause_pages.py            write what has changed, remove what no rule has any more
    cause_pages.py --check    fail when something would be written

What a page shows as an example is what the report says of the host on which the rule's own test finds the fault.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDER = CHECKOUT / "docs" / "causes"
sys.path.insert(0, str(CHECKOUT / ".cache" / "collections"))

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _rules  # noqa: E402
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import HostResult  # noqa: E402
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import terminal  # noqa: E402
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule  # noqa: E402
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.every_case import FIRING  # noqa: E402

# The questions that rules need, in words.
QUESTIONS = {
    "apparmor": "AppArmor's profiles of nginx's workers, and what it denied them",
    "backend_log": "what the backends' logs, their managers and the kernel tell of processes that ended",
    "backends.units": "systemd units, their state and where they are to listen",
    "containers": "the containers of Docker and Podman, with their state, networks and published ports; a host without an engine has none",
    "error_log": "the error logs, grouped",
    "host": "the host's addresses, clock and system",
    "limits": "descriptors and connections in use, against what the workers may have",
    "listeners": "listening sockets and who holds them",
    "names": "what the names in the configuration resolve to now",
    "network": "the way to each peer: routes, neighbours, links, packet filter, local ports",
    "nginx": "what nginx runs, and its configuration",
    "nginx.start": "whether the configuration of an nginx that is down passes its test",
    "nginx.test": "whether the configuration passes nginx's test",
    "paths": "the folders above each Unix socket, with owners, modes and access lists",
    "php_fpm": "PHP-FPM versions and pools",
    "probes": "connections to the endpoints, made as nginx would make them",
    "resolvers": "what the name servers that nginx asks answer, and what stands in /etc/hosts and /etc/resolv.conf",
    "selinux": "what SELinux enforces",
    "servers": "timeouts, workers and queues that application servers are set to",
    "temp_paths": "nginx's temporary folders, with owners, modes and free space",
}
KNOWN = frozenset(rule.id for rule in _rules.ALL)
MADE = "<!-- Made by scripts/cause_pages.py from the rule; change that. -->\n"


def pages() -> dict[str, str]:
    """Return the texts of the folder by file name."""
    made = {f"{rule.id}.md": page(rule) for rule in _rules.ALL}
    return {"README.md": index(), **made}


def index() -> str:
    """Return the list of all ids."""
    rows = "".join(f"| [{rule.id}]({rule.id}.md) | {marked(rule.title)} |\n" for rule in sorted(_rules.ALL, key=lambda rule: rule.id))
    return (
        f"{MADE}# What is found\n\n"
        "An id is stable: reports, settings and dashboards may rely on it. [How to read a verdict](../verdict.md) tells a cause from a risk and\n"
        "a piece of advice, and proven from likely.\n\n"
        f"| id | what is wrong |\n|---|---|\n{rows}"
    )


def page(rule: Rule) -> str:
    """Return the page of a rule: its docstring, with the evidence and an example in their place."""
    title, *sections = re.split(r"^## ", sys.modules[rule.check.__module__].__doc__ or "", flags=re.MULTILINE)
    texts = dict(section.split("\n", 1) for section in sections)
    texts["Evidence"] = f"{asked(rule)}\n\nOn a host of this kind the report says:\n\n```text\n{example(rule)}\n```"
    order = ("What it is", "How it is recognised", "Evidence", "Fix", "When it stays silent")
    parts = [f"## {heading}\n\n{texts[heading].strip() if heading == 'Evidence' else marked(texts[heading].strip())}\n" for heading in order]
    return f"{MADE}# {rule.id}\n\n{marked(title.strip())}\n\n" + "\n".join(parts)


def asked(rule: Rule) -> str:
    """Return what a host must have answered before anything is said."""
    lines = "\n".join(f"- {QUESTIONS[need]} (`{need}`)" for need in rule.needs)
    return f"Without an answer to these questions nothing is said, and the report calls it unknown:\n\n{lines}"


def example(rule: Rule) -> str:
    """Return what a person reads about the host of the rule's test."""
    result: HostResult = FIRING[rule.id]().judge(only=(rule.id,))
    lines = [line for _style, line in terminal.render([result])]
    return "\n".join(lines[2:]).strip()


def marked(words: str) -> str:
    """Return plain text as Markdown that shows it so, with a link from each id to its page."""
    shown = re.sub(r"([*<\[])", r"\\\1", words)
    return re.sub(r"(?<![\w-])[a-z0-9]+(?:-[a-z0-9]+)+(?![\w-])", lambda match: f"[{match[0]}]({match[0]}.md)" if match[0] in KNOWN else match[0], shown)


def main(words: list[str]) -> int:
    """Write the pages, or tell which differ."""
    if words not in ([], ["--check"]):
        sys.exit("usage: cause_pages.py [--check]")
    made = pages()
    there = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.md")}
    differing = sorted(name for name in {*made, *there} if made.get(name) != there.get(name))
    for name in [] if words else differing:
        FOLDER.mkdir(exist_ok=True)
        if name in made:
            (FOLDER / name).write_text(made[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    if differing:
        print(f"{'to be written' if words else 'written'}: {', '.join(differing)}")
    return 1 if words and differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
