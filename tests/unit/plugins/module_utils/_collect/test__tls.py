# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes with real TLS servers, made as nginx makes them for a route, and what the further ones show."""

import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _certificate as certificate
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _tls, probes

# Before Python 3.10 the chain is read from the wire, where TLS 1.3 does not show it.
SEES_CHAINS = sys.version_info >= (3, 10)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def openssl(folder, *words):
    subprocess.run(("openssl", *words), cwd=str(folder), check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def issue(folder, name, issuer, extensions="subjectAltName=DNS:shop.example,IP:127.0.0.1", days="30"):
    """Make NAME.key and NAME.pem, signed by ISSUER or by itself."""
    (folder / (name + ".ext")).write_text(extensions + "\n")
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN={0}/O=Test".format(name), "-keyout", name + ".key", "-out", name + ".csr")
    by = ("-signkey", name + ".key") if issuer is None else ("-CA", issuer + ".pem", "-CAkey", issuer + ".key", "-CAcreateserial")
    openssl(folder, "x509", "-req", "-in", name + ".csr", *by, "-days", days, "-extfile", name + ".ext", "-out", name + ".pem")


CA = "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash"


@pytest.fixture(scope="module")
def folder():
    """A root, two intermediates below it, and certificates of each."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="tls"))
    path.chmod(0o755)
    issue(path, "root", None, CA)
    issue(path, "one", "root", CA)
    issue(path, "two", "one", CA)
    issue(path, "direct", "root")
    issue(path, "deep", "two")
    issue(path, "late", "root", days="-1")
    issue(path, "alone", None)
    issue(path, "other", "root", "subjectAltName=DNS:other.example")
    for chain, parts in (("deep", ("deep", "two", "one")), ("short", ("deep",))):
        (path / (chain + ".chain")).write_text("".join((path / (part + ".pem")).read_text() for part in parts))
    shutil.copy(str(path / "deep.key"), str(path / "short.key"))
    yield path
    shutil.rmtree(str(path))


class Server:
    """A TLS server on a port of its own; certificates by server name, "" without one."""

    def __init__(self, folder, by_name, change=None):
        self.contexts = {}
        for name, files in by_name.items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            chain = folder / (files + ".chain")
            context.load_cert_chain(str(chain if chain.exists() else folder / (files + ".pem")), str(folder / (files + ".key")))
            if change:
                change(context)
            self.contexts[name] = context
        first = next(iter(self.contexts.values()))
        first.set_servername_callback(self._named)
        self.first = first
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0)) if hasattr(socket, "create_server") else self._listen()
        self.endpoint = "127.0.0.1:{0}".format(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def _listen():
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        return listener

    def _named(self, session, name, _context):
        context = self.contexts.get(name or "") or self.contexts.get("*")
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        session.context = context
        return None

    def _serve(self):
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            try:
                with self.first.wrap_socket(connection, server_side=True) as session:
                    session.settimeout(5)
                    asked = session.recv(65536)
                    if asked:
                        self.asked.append(asked)
                        session.sendall(ANSWER)
            except OSError:
                connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.listener.close()


def probe(server, folder=None, trusted="root", sni="", speak="https", host="shop.example", nginx="", **tls):
    given = dict({"name": "shop.example", "names": ["shop.example"]}, **tls)
    if folder:
        given.update(verify=True, trusted=str(folder / (trusted + ".pem")))
    target = {"id": "p1", "endpoint": server.endpoint, "speak": speak, "host": host, "sni": sni, "tls": given, "nginx": nginx, "wait": 3.0}
    return probes.collect(None, [target]).value["probes"][0]


def only(version):
    def change(context):
        if hasattr(ssl, "TLSVersion"):
            context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
        else:
            for other in {"TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"} - {version}:
                context.options |= getattr(ssl, "OP_NO_" + other)
        if version in ("TLSv1", "TLSv1_1"):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")

    return change


def told(number):
    """Return OpenSSL's number as this Python tells it: before 3.7 not at all. Numbers of our own are always told."""
    return number if sys.version_info >= (3, 7) else None


def shaken(found):
    return [(item["name"], item["versions"], item["status"], item["code"]) for item in found["tls"]["handshakes"]]


def test_a_certificate_that_passes_is_verified_in_one_handshake(folder):
    with Server(folder, {"": "direct"}) as server:
        found = probe(server, folder)
        assert found["tries"][0]["status"] == "ok"
        assert found["tries"][0]["tls"]["verified"] is True
        assert "tls" not in found
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("files", "code"),
    [("alone", told(18)), ("late", told(10)), ("other", _tls.NAME_DIFFERS), ("short", told(20)), ("deep", _tls.CHAIN_TOO_LONG)],
)
def test_a_certificate_that_does_not_pass_ends_it_before_the_request(folder, files, code):
    with Server(folder, {"*": files}, None if SEES_CHAINS else only("TLSv1_2")) as server:
        found = probe(server, folder)
        tried = found["tries"][0]
        assert (tried["status"], tried["code"], tried["tls"]) == ("untrusted", code, None)
        assert server.asked == []
    own = found["tls"]["chain"][0]
    assert own["key"] == "RSA 2048"
    assert own["not_before"] < own["not_after"] or files == "late"
    assert own["subject"].startswith("CN=") and own["issuer"].startswith("CN=")
    assert len(found["tries"]) == 1


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"] if SEES_CHAINS else ["TLSv1_2"])
def test_the_depth_that_is_allowed(folder, version):
    with Server(folder, {"*": "deep"}, only(version)) as server:
        assert [probe(server, folder, depth=depth)["tries"][0]["status"] for depth in (1, 2, 3)] == ["untrusted", "ok", "ok"]


def test_without_the_private_parts_of_python_the_chain_is_read_from_the_wire(folder, monkeypatch):
    class Blind:
        def __init__(self, session):
            self.getpeercert = session.getpeercert

    between, chain = _tls._between, _tls.chain
    monkeypatch.setattr(_tls, "_between", lambda session, *rest: between(Blind(session), *rest))
    monkeypatch.setattr(_tls, "chain", lambda session, raw: chain(Blind(session), raw))
    with Server(folder, {"*": "deep"}, only("TLSv1_2")) as server:
        found = probe(server, folder)
        assert (found["tries"][0]["code"], len(found["tls"]["chain"])) == (_tls.CHAIN_TOO_LONG, 3)
        assert probe(server, folder, depth=2)["tries"][0]["status"] == "ok"


def test_what_is_not_verified_may_be_wrong(folder):
    with Server(folder, {"*": "late"}) as server:
        found = probe(server)
        assert (found["tries"][0]["status"], "tls" in found) == ("ok", False)


def test_files_that_cannot_be_read_are_said_and_nothing_is_guessed(folder):
    with Server(folder, {"*": "late"}) as server:
        tried = probe(server, folder, trusted="nothing")["tries"][0]
        assert (tried["status"], tried["tls"]["verified"]) == ("ok", False)
        assert "No such file" in tried["tls"]["why"]


def test_only_certificates_are_kept_of_a_file(folder):
    mixed = folder / "mixed.pem"
    mixed.write_text((folder / "root.key").read_text() + "canary\n" + (folder / "root.pem").read_text())
    kept = _tls._read_one(str(mixed))
    assert kept["pem"].count("BEGIN") == 1 and "PRIVATE" not in kept["pem"] and "canary" not in kept["pem"]
    with Server(folder, {"*": "direct"}) as server:
        assert probe(server, folder, trusted="mixed")["tries"][0]["tls"]["verified"] is True


def test_a_pipe_in_place_of_a_file_holds_nobody_up(folder):
    os.mkfifo(str(folder / "pipe.pem"))
    assert _tls._read_one(str(folder / "pipe.pem"))["pem"] == ""


def test_revocation_lists(folder):
    config = "[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30\n"
    (folder / "ca.cnf").write_text(config)
    (folder / "index").write_text("")
    (folder / "number").write_text("01\n")
    common = ("ca", "-config", "ca.cnf", "-keyfile", "root.key", "-cert", "root.pem")
    openssl(folder, *common, "-gencrl", "-out", "empty.crl")
    openssl(folder, *common, "-revoke", "direct.pem")
    openssl(folder, *common, "-gencrl", "-out", "full.crl")
    with Server(folder, {"*": "direct"}) as server:
        assert probe(server, folder, crl=str(folder / "empty.crl"))["tries"][0]["status"] == "ok"
        assert probe(server, folder, crl=str(folder / "full.crl"))["tries"][0]["code"] == told(23)


def test_a_server_name_that_is_wanted(folder):
    with Server(folder, {"shop.example": "direct"}) as server:
        found = probe(server)
        assert found["tries"][0]["code"] == 112
        assert shaken(found) == [("", list(_tls.VERSIONS), "tls-alert", 112), ("shop.example", list(_tls.VERSIONS), "ok", None)]
        assert [item["speak"] for item in found["tries"]] == ["https", "https-sni"]


def test_a_server_name_that_brings_another_certificate(folder):
    with Server(folder, {"*": "other", "shop.example": "direct"}) as server:
        found = probe(server, folder)
        assert found["tries"][0]["code"] == _tls.NAME_DIFFERS
        own, named = found["tls"]["handshakes"]
        assert (own["name"], named["name"], named["status"], named["verified"]) == ("", "shop.example", "ok", True)
        assert own["leaf"] != named["leaf"]


def test_a_version_that_the_route_does_not_speak(folder):
    with Server(folder, {"*": "direct"}, only("TLSv1_3")) as server:
        found = probe(server, protocols=["TLSv1", "TLSv1.1", "TLSv1.2"])
        assert found["tries"][0]["code"] == 70
        taken = [item["version"] for item in found["tls"]["handshakes"] if item["status"] == "ok"]
        assert taken == ["TLSv1.3"]
        assert probe(server, protocols=["TLSv1.2", "TLSv1.3"])["tries"][0]["status"] == "ok"


def test_an_old_version(folder):
    with Server(folder, {"*": "direct"}, only("TLSv1")) as server:
        found = probe(server, protocols=["TLSv1.2", "TLSv1.3"])
        assert found["tries"][0]["status"] == "tls-alert"
        assert [item["version"] for item in found["tls"]["handshakes"] if item["status"] == "ok"] == ["TLSv1"]


def test_ciphers(folder):
    def change(context):
        only("TLSv1_2")(context)
        context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")

    with Server(folder, {"*": "direct"}, change) as server:
        found = probe(server, protocols=["TLSv1.2"], ciphers="ECDHE-RSA-AES128-GCM-SHA256")
        assert found["tries"][0]["code"] == 40
        taken = [(item["version"], item["ciphers"]) for item in found["tls"]["handshakes"] if item["status"] == "ok"]
        assert taken == [("TLSv1.2", "DEFAULT")]


def test_ciphers_that_nobody_has_are_not_a_refusal_of_the_backend(folder):
    with Server(folder, {"*": "direct"}) as server:
        found = probe(server, protocols=["TLSv1.2"], ciphers="NOTHING")
        assert found["tries"][0]["status"] == "error"
        assert found["tls"]["handshakes"][0]["status"] == "untestable"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_certificate_that_is_wanted(folder, version):
    def change(context):
        only(version)(context)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(folder / "root.pem"))

    with Server(folder, {"*": "direct"}, change) as server:
        found = probe(server)
        assert found["tries"][0]["status"] in ("tls-alert", "reset", "closed")
        if version == "TLSv1_2":
            assert found["tls"]["requested"]
            assert not any(item["status"] == "ok" for item in found["tls"]["handshakes"])
            assert "asks for a certificate of nginx" in found["tries"][0]["why"]
        unlike = probe(server, client_certificate=True)
        assert (unlike["tries"][0]["status"], len(unlike["tries"]), "tls" in unlike) == ("unlike", 1, False)


def test_a_failure_where_nginx_does_otherwise_says_nothing(folder):
    with Server(folder, {"shop.example": "direct"}) as server:
        found = probe(server, unlike="the server name that nginx sends depends on the request")
        assert (found["tries"][0]["status"], len(found["tries"]), "tls" in found) == ("unlike", 1, False)
        assert "depends on the request" in found["tries"][0]["why"] and "112" in found["tries"][0]["why"]
        assert probe(server, sni="shop.example", unlike="something")["tries"][0]["status"] == "ok"


def test_a_name_that_is_not_known_is_not_compared(folder):
    with Server(folder, {"*": "other"}) as server:
        assert probe(server, folder, name="")["tries"][0]["tls"]["verified"] is True


def test_the_other_protocols_over_tls(folder):
    with Server(folder, {"*": "late"}) as server:
        assert probe(server, speak="tls")["tries"][0]["status"] == "ok"
        assert probe(server, folder, speak="tls")["tries"][0]["code"] == told(10)
        assert probe(server, folder, speak="suwsgi")["tries"][0]["code"] == told(10)
        found = probe(server, speak="suwsgi")["tries"][0]
        assert (found["speak"], found["status"], found["code"]) == ("suwsgi", "ok", 200)


@pytest.mark.parametrize(
    ("name", "names", "fits"),
    [
        ("shop.example", ["shop.example"], True),
        ("SHOP.example", ["shop.EXAMPLE"], True),
        ("a.shop.example", ["*.shop.example"], True),
        ("a.b.shop.example", ["*.shop.example"], False),
        ("shop.example", ["*.example"], False),
        ("shop.example", ["*.shop.example"], False),
        ("web1.shop.example", ["web*.shop.example"], True),
        ("web.shop.example", ["web*.shop.example"], True),
        ("1web.shop.example", ["*web.shop.example"], True),
        ("xn--web.shop.example", ["*web.shop.example"], False),
        ("webXshop.example", ["w*b.shop.example"], False),
        ("a.shop.example", ["b.*.example", "a.*"], False),
        ("a.b.example", ["a.b.*"], False),
        ("", [""], False),
        ("127.0.0.1", ["127.0.0.1"], True),
        ("shop.example", [], False),
    ],
)
def test_names(name, names, fits):
    assert certificate.is_for(name, names) is fits


def test_bytes_that_are_no_certificate():
    for raw in (b"", b"\x30", b"\x30\x03\x02\x01\x01", b"\x00" * 100, os.urandom(200)):
        assert certificate.details(raw) is None
        assert certificate.identity(raw) is None


@pytest.mark.parametrize("raw", [b"", b"\x16\x03", b"\x16\x03\x03\xff\xff\x0b", b"\x16\x03\x03\x00\x05\x0b\x00\xff\xff\xff", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_records_that_break_off(raw):
    assert _tls._messages(raw) == []
    assert not _tls.wants_certificate(raw)


def test_parameters_that_are_too_short_for_this_side(folder):
    openssl(folder, "dhparam", "-dsaparam", "-out", "short.dh", "1024")

    def change(context):
        context.set_ciphers("DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
        only("TLSv1_2")(context)
        context.load_dh_params(str(folder / "short.dh"))

    with Server(folder, {"*": "direct"}, change) as server:
        found = probe(server)
        assert (found["tries"][0]["status"], found["tries"][0]["code"]) == ("error", None)
        assert "DH_KEY_TOO_SMALL" in found["tries"][0]["why"]
        taken = [(item["version"], item["ciphers"]) for item in found["tls"]["handshakes"] if item["status"] == "ok"]
        assert ("TLSv1.2", _tls.OLD_CIPHERS) in taken and not [item for item in taken if item[1] == "DEFAULT"]
