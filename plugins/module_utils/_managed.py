# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that another program writes: what a person changes in them is lost.

Told by the comments at the head of a file. Only the name of a program that is known here leaves the host, never the comment.
certbot is none of them: it marks single lines, and leaves the others alone.

This module is private to the collection.
"""

import re

_HEAD = 4096
_FORBIDS = re.compile(
    r"(?i)\bdo(?:n[\u2019']?t| not) (?:edit|modify|change|touch)\b|\bansible[ _-]managed\b"
    r"|\b(?:changes?|edits?|modifications?)\b.{0,80}\b(?:lost|overwritten|overridden|discarded|reverted)\b|\bwill be overwritten\b"
)
_WRITES = re.compile(r"(?i)\b(?:managed|generated|maintained|controlled|deployed|provisioned|created|written|configured|rendered)\b")
# As their own templates call them.
_PROGRAMS = (
    ("Ansible", "ansible(?:_managed)?"),
    ("Puppet", "puppet"),
    ("Chef", "chef"),
    ("Salt", "salt(?:stack)?"),
    ("CFEngine", "cfengine"),
    ("Terraform", "terraform"),
    ("cloud-init", "cloud-init"),
    ("NixOS", "nixos"),
    ("Helm", "helm"),
    ("Kubernetes", "kubernetes|ingress-nginx"),
    ("consul-template", "consul-template"),
    ("confd", "confd"),
    ("docker-gen", "docker-gen"),
    ("Plesk", "plesk"),
    ("cPanel", "cpanel"),
    ("DirectAdmin", "directadmin"),
    ("ISPConfig", "ispconfig"),
    ("Hestia", "hestia"),
    ("Webmin", "webmin|virtualmin"),
)
_NAMED = tuple((name, re.compile(r"(?i)\b(?:" + words + r")\b")) for name, words in _PROGRAMS)
OTHER = "another program"


def written_by(raw):
    """Return the name of the program that writes a file (bytes), OTHER for one that is not known here, or "" for none."""
    head = []
    for line in raw[:_HEAD].decode("utf-8", "replace").splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            break
        head.append(line.lstrip("#").strip())
    said = " ".join(head)
    program = next((name for name, words in _NAMED if words.search(said)), "")
    if _FORBIDS.search(said):
        return program or OTHER
    return program if program and _WRITES.search(said) else ""
