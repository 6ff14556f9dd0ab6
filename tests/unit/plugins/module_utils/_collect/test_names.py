# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolving names: what the name service says, what it does not, and a bound on the waiting."""

import base64
import socket
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import names


def found(*addresses):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


def nginx(content):
    return {"instances": [{"id": "x", "master": None, "files": [{"content": base64.b64encode(content).decode("ascii")}]}]}


def test_answers(monkeypatch):
    def getaddrinfo(name, *_rest):
        if name == "ok":
            return found("10.0.0.1", "10.0.0.1", "::1")
        raise socket.gaierror({"none": socket.EAI_NONAME, "again": socket.EAI_AGAIN}[name], "said\x1b")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert names.resolve(["ok", "none", "again"], 5) == {
        "ok": {"status": "ok", "addresses": ["10.0.0.1", "::1"], "why": ""},
        "none": {"status": "absent", "addresses": [], "why": "said\\x1b"},
        "again": {"status": "error", "addresses": [], "why": "said\\x1b"},
    }


def test_a_name_that_cannot_be_asked_is_an_error():
    assert names.resolve(["a" * 300], 5)["a" * 300]["status"] in ("error", "absent")


def test_a_name_service_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_rest: found("10.0.0.1") if name == "ok" else time.sleep(30) or found("10.0.0.2"))
    started = time.monotonic()
    answers = names.resolve(["ok"] + ["slow{0}".format(number) for number in range(40)], 0.3)
    assert time.monotonic() - started < 3
    assert answers["slow0"]["status"] == evidence.TIMEOUT and len(answers) == 41


def test_localhost_is_always_asked():
    value = names.collect(nginx(b"")).value
    assert value["localhost"]["status"] == "ok"


def test_a_place_that_cannot_be_entered_is_said(monkeypatch):
    def call(*_args, **_kwargs):
        raise evidence.Unanswered(evidence.DENIED, "not root")

    monkeypatch.setattr(_inside, "call", call)
    answer = names.collect(nginx(b"proxy_pass http://app;"))
    assert {name: one["status"] for name, one in answer.value.items()} == {"app": "denied", "localhost": "denied"}
    assert answer.hidden == ("x: not root",)


def test_without_root_our_own_namespaces_answer(monkeypatch):
    def call(function, args, pid=None, **_kwargs):
        if pid is not None:
            raise evidence.Unanswered(evidence.DENIED, "not root")
        return {name: names._answer("ok", ["::1"]) for name in args[0]}

    monkeypatch.setattr(_inside, "call", call)
    one = nginx(b"")
    one["instances"][0]["master"] = {"pid": 12}
    answer = names.collect(one)
    assert answer.value["localhost"]["status"] == "ok"
    assert "our own namespaces" in answer.hidden[0]


def test_a_name_is_what_each_nginx_gets_for_it(monkeypatch):
    """Two projects of Compose have an "app" each; a third nginx is where the second is, and gets the same."""
    asked = []

    def call(_function, args, pid=None, **_kwargs):
        asked.append((pid, args[0]))
        return {name: names._answer("ok", ["127.0.0.1" if name == "localhost" else "172.18.0.{0}".format(min(pid, 2))]) for name in args[0]}

    monkeypatch.setattr(_inside, "call", call)
    instances = []
    for number, spaces in ((1, "a"), (2, "b"), (3, "b")):
        one = dict(nginx(b"proxy_pass http://app;")["instances"][0], id=str(number), master={"pid": number, "net": spaces, "mnt": spaces})
        instances.append(one)
    value = names.collect({"instances": instances}).value
    second = {"status": "ok", "addresses": ["172.18.0.2"], "why": ""}
    assert value == {"localhost": names._answer("ok", ["127.0.0.1"]), "app": dict(names._answer("ok", ["172.18.0.1"]), elsewhere={"2": second, "3": second})}
    assert asked == [(1, ["app", "localhost"]), (2, ["app", "localhost"])]


def test_too_many_names_are_cut(monkeypatch):
    monkeypatch.setattr(names, "MAX_NAMES", 2)
    monkeypatch.setattr(_inside, "call", lambda function, args, **_kwargs: {name: names._answer("ok") for name in args[0]})
    answer = names.collect(nginx(b"proxy_pass http://a; proxy_pass http://b; proxy_pass http://c;"))
    assert answer.truncated and len(answer.value) == 2
