# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls-sni-missing, tls-version-mismatch and tls-certificate-untrusted, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _targets
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.handshakes import DAY, EVERY, OLD, explained, failed, issued, passed, shaken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NOW, SITES, WORKERS, World, unknowns, verdict

TCP = "127.0.0.1:3000"
PASS = f"{SITES}shop:4"
SNI, VERSION, CERTIFICATE = "tls-sni-missing", "tls-version-mismatch", "tls-certificate-untrusted"
VERIFIED = ("proxy_ssl_verify on;", "proxy_ssl_trusted_certificate /etc/ssl/own-ca.pem;", "proxy_ssl_name shop.example;")


def world(*lines: str, target: str = f"proxy_pass https://{TCP};", **options) -> World:
    return World().site("location / {", target, *lines, "}", **options).service("shop.service", TCP)


def one(result):
    """Return (id, kind, certainty) of the only finding, and the finding."""
    (item,) = verdict(result)
    return item[:3], result.findings[0]


# --- the server name


def test_a_name_that_is_not_sent():
    host = world().reply(TCP, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("shop.example")))
    said, finding = one(host.judge())
    assert said == (SNI, "cause", "proven")
    assert finding.fix.summary == f"At {PASS}: proxy_ssl_server_name on; proxy_ssl_name shop.example;"
    assert (finding.fix.remedy, finding.fix.safety) == ("upstream_tls", "risky")
    assert "no server name" in finding.says and str(finding.at) == PASS


def test_the_host_of_the_pass_needs_no_name_of_its_own():
    host = world(target="proxy_pass https://backend.example:3000;").resolve("backend.example", "127.0.0.1")
    host.reply(TCP, failed(code=112), tls=explained(shaken("", "tls-alert", code=112), shaken("backend.example")))
    assert one(host.judge())[1].fix.summary == f"At {PASS}: proxy_ssl_server_name on;"


def test_a_name_that_the_backend_does_not_know():
    group = (f"upstream shop_group {{ server {TCP}; }}",)
    host = world("proxy_ssl_server_name on;", target="proxy_pass https://shop_group;", outside=group)
    host.reply(TCP, failed(code=112, speak="https-sni"), tls=explained(shaken("shop_group", "tls-alert", code=112), shaken("shop.example")))
    said, finding = one(host.judge())
    assert said == (SNI, "cause", "proven")
    assert "the server name shop_group" in finding.says
    assert "server_name on" not in finding.fix.summary
    assert "proxy_ssl_name shop.example;" in finding.fix.summary


def test_a_name_that_is_one_too_many():
    host = world("proxy_ssl_server_name on;", "proxy_ssl_name old.example;")
    host.reply(TCP, failed("closed", None, speak="https-sni"), tls=explained(shaken("old.example", "closed"), shaken("")))
    assert one(host.judge())[1].fix.summary == f"At {PASS}: proxy_ssl_server_name off;"


@pytest.mark.parametrize("status", ["closed", "reset", "tls-alert"])
def test_however_the_backend_refuses(status):
    host = world().reply(TCP, failed(status, None, why=status), tls=explained(shaken("", status), shaken("shop.example")))
    assert one(host.judge())[0] == (SNI, "cause", "proven")


def test_a_handshake_that_succeeds_the_second_time_explains_nothing():
    host = world().reply(TCP, failed("reset", None, why="reset"), tls=explained(shaken("")))
    result = host.judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", TCP, "open")])


def test_no_name_helps_whatever_the_log_says():
    host = world().reply(TCP, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("shop.example", "tls-alert", code=40)))
    assert verdict(host.logged(TCP, "tls-alert", detail={"alert": 40}).judge()) == []


def test_no_name_helps():
    result = world().reply(TCP, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("shop.example", "tls-alert", code=40))).judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", TCP, "open")])


def test_names_of_the_host_itself_do_not_go_into_a_configuration():
    chain = [issued(names=["a; proxy_ssl_verify off", "*.b.example"])]
    host = world(*VERIFIED).reply(TCP, failed("untrusted", 62, why="x"), tls=explained(shaken(""), chain=chain))
    assert "ssl_verify off" not in one(host.judge())[1].fix.summary
    host = world().reply(TCP, failed(code=112), tls=explained(shaken("", "tls-alert", code=112), shaken("a; proxy_ssl_verify off")))
    assert verdict(host.judge()) == []


def test_another_certificate_by_name():
    host = world(*VERIFIED)
    tried = failed("untrusted", 62, why='the certificate is not for "shop.example"')
    host.reply(TCP, tried, tls=explained(shaken(""), shaken("shop.example", verified=True, leaf="bb"), chain=[issued("CN=other", names=["other"])]))
    said, finding = one(host.judge())
    assert said == (SNI, "cause", "proven")
    assert finding.fix.summary == f"At {PASS}: proxy_ssl_server_name on;"


def test_the_same_certificate_by_name_is_a_matter_of_the_name_alone():
    host = world("proxy_ssl_verify on;", "proxy_ssl_trusted_certificate /etc/ssl/own-ca.pem;")
    tried = failed("untrusted", 62, why='the certificate is not for "127.0.0.1"')
    host.reply(TCP, tried, tls=explained(shaken(""), shaken("shop.example", verified=True, leaf="aa"), chain=[issued()]))
    said, finding = one(host.judge())
    assert said == (CERTIFICATE, "cause", "proven")
    assert finding.fix.summary == f"At {PASS}: proxy_ssl_name shop.example;"


def test_the_log_alone():
    host = world().logged(TCP, "tls-alert", detail={"alert": 112, "reason": "tlsv1 unrecognized name"})
    host.probing = False
    assert [item[:3] for item in verdict(host.judge())] == [(SNI, "cause", "likely")]
    host = world().logged(TCP, "tls-alert", detail={"alert": 40, "reason": "sslv3 alert handshake failure"})
    host.probing = False
    said, finding = one(host.judge())
    assert said == (SNI, "cause", "possible") and VERSION in finding.alternatives


def test_a_client_certificate_that_is_asked_for_is_not_a_name():
    host = world().logged(TCP, "tls-alert", detail={"alert": 40})
    asked = failed(code=40, why="TLS alert 40; the backend asks for a certificate of nginx")
    host.reply(TCP, asked, tls=explained(shaken("", "tls-alert", code=40), requested=True))
    result = host.judge()
    assert verdict(result) == []
    assert "asks for a certificate of nginx" in result.unknown[0].why


def test_a_client_certificate_that_tls_1_3_asks_for_after_its_handshake_is_not_a_version():
    asked = failed(code=40)
    made = (shaken("", "tls-alert", code=40), shaken("", versions=("TLSv1.3",), version="TLSv1.3"), shaken("", "tls-alert", versions=("TLSv1.2",), code=40))
    greeted = {**asked, "start": "\\x16\\x03\\x03\\x00A\\x02\\x00\\x00="}
    host = world().logged(TCP, "tls-alert", detail={"alert": 40}).reply(TCP, greeted, tls=explained(*made, requested=True))
    result = host.judge()
    assert verdict(result) == [] and unknowns(result)
    # Without a ServerHello nothing was in common; without a request for a certificate another thing was not.
    for first, requested in ((asked, True), ({**asked, "start": "\\x15\\x03\\x03\\x00\\x02\\x02("}, True), (greeted, False)):
        said, _finding = one(world().reply(TCP, first, tls=explained(*made, requested=requested)).judge())
        assert said == (VERSION, "cause", "proven")


@pytest.mark.parametrize(("code", "rule"), [(112, SNI), (70, VERSION)])
def test_an_alert_of_one_meaning_alone(code, rule):
    host = world(name="_").reply(TCP, failed(code=code), tls=explained(shaken("", "tls-alert", code=code)))
    said, finding = one(host.judge())
    assert said == (rule, "cause", "likely") and finding.fix.safety == "manual"


def test_names_that_are_none_are_not_tried():
    for name in ("_", "-", "1", ".shop.example"):
        location = f"location / {{ proxy_pass https://{TCP}; proxy_set_header Host $http_host; }}"
        host = World().file(f"{SITES}shop", f"server {{ listen 80; server_name {name};\n{location} }}")
        (batch,) = _targets.batches(host.service("shop.service", TCP).bundle(), "", "GET", 10.0)
        assert [item for item in batch["targets"][0]["tls"]["names"] if not item.startswith("shop")] == []


def test_a_backend_that_is_down_is_not_explained_by_old_alerts():
    host = World().site("location / {", f"proxy_pass https://{TCP};", "}").unit("shop.service", TCP, active="inactive")
    host.logged(TCP, "tls-alert", detail={"alert": 112}, last=NOW - 3000)
    assert [item[0] for item in verdict(host.judge())] == ["backend-not-running"]


def test_another_peer_that_answers_makes_it_a_risk():
    group = (f"upstream shop {{ server {TCP}; server 127.0.0.1:3001; }}",)
    host = world(target="proxy_pass https://shop;", outside=group).service("two.service", "127.0.0.1:3001")
    host.reply("127.0.0.1:3001", passed(verified=False))
    host.reply(TCP, failed(code=112), tls=explained(shaken("", "tls-alert", code=112), shaken("shop.example")))
    assert one(host.judge())[0] == (SNI, "risk", "proven")


# --- versions and ciphers


def test_a_version_that_nginx_does_not_speak():
    handshakes = [shaken("", "tls-alert", code=70), shaken("", versions=("TLSv1.3",), version="TLSv1.3")]
    said, finding = one(world().reply(TCP, failed(code=70), tls=explained(*handshakes)).judge())
    assert said == (VERSION, "cause", "proven")
    assert finding.fix.summary == f"At {PASS}: proxy_ssl_protocols TLSv1.2 TLSv1.3;"
    assert "TLSv1 TLSv1.1 TLSv1.2 to 127.0.0.1:3000, which takes TLSv1.3" in finding.says


def test_an_old_backend_behind_a_new_nginx():
    new = ("TLSv1.2", "TLSv1.3")
    handshakes = [shaken("", "tls-alert", new, code=70), shaken("", versions=("TLSv1",), version="TLSv1", ciphers="DEFAULT:@SECLEVEL=0")]
    host = world()
    host.instance["build"]["value"]["version"] = "1.28.0"
    said, finding = one(host.reply(TCP, failed(code=70), tls=explained(*handshakes)).judge())
    assert said == (VERSION, "cause", "proven")
    assert (finding.fix.safety, finding.fix.remedy) == ("manual", None)


def test_an_old_version_that_nginx_may_speak_and_openssl_does_not():
    handshakes = [shaken("", "error"), shaken("", versions=("TLSv1",), version="TLSv1", ciphers="DEFAULT:@SECLEVEL=0")]
    host = world().reply(TCP, failed("error", None, why="TLS: UNSUPPORTED_PROTOCOL"), tls=explained(*handshakes))
    assert one(host.judge())[0] == (VERSION, "cause", "likely")
    host.logged(TCP, "tls-incompatible", detail={"reason": "unsupported protocol"})
    assert one(host.judge())[0] == (VERSION, "cause", "proven")


def test_ciphers():
    handshakes = [shaken("", "tls-alert", ciphers="AES128-SHA", code=40), shaken("", versions=("TLSv1.2",))]
    said, finding = one(world("proxy_ssl_ciphers AES128-SHA;").reply(TCP, failed(code=40), tls=explained(*handshakes)).judge())
    assert said == (VERSION, "cause", "proven")
    assert "ciphers AES128-SHA" in finding.says and finding.fix.summary.startswith(f"At {SITES}shop:5: proxy_ssl_ciphers DEFAULT;")


def test_parameters_that_are_too_weak():
    weak = "DEFAULT:@SECLEVEL=0"
    handshakes = [shaken("", "error"), shaken("", "error", ("TLSv1.2",)), shaken("", versions=("TLSv1.2",), ciphers=weak)]
    handshakes.append(shaken("", versions=("TLSv1.1",), version="TLSv1.1", ciphers=weak))
    host = world().reply(TCP, failed("error", None, why="TLS: DH_KEY_TOO_SMALL"), tls=explained(*handshakes))
    said, finding = one(host.judge())
    assert said == (VERSION, "cause", "likely")
    assert "too weak" in finding.says and finding.fix.safety == "manual"
    host.logged(TCP, "tls-incompatible", detail={"reason": "dh key too small"})
    assert one(host.judge())[0] == (VERSION, "cause", "proven")


def test_a_name_and_a_version():
    handshakes = [shaken("", "tls-alert", code=70), shaken("shop.example", versions=EVERY, version="TLSv1.3")]
    said, finding = one(world().reply(TCP, failed(code=70), tls=explained(*handshakes)).judge())
    assert said == (VERSION, "cause", "proven")
    assert finding.fix.summary.endswith("proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_server_name on; proxy_ssl_name shop.example;")


def test_what_this_host_cannot_try_proves_nothing():
    handshakes = [shaken("", "untestable", versions=("TLSv1",)), shaken("", versions=("TLSv1.2",))]
    host = world("proxy_ssl_protocols TLSv1;").reply(TCP, failed("error", None, why="TLS: NO_PROTOCOLS_AVAILABLE"), tls=explained(*handshakes))
    assert one(host.judge())[0] == (VERSION, "cause", "likely")


def test_commands_to_openssl_make_the_probe_less_than_a_proof():
    handshakes = [shaken("", "tls-alert", code=70), shaken("", versions=("TLSv1.3",), version="TLSv1.3")]
    host = world("proxy_ssl_conf_command MaxProtocol TLSv1.2;").reply(TCP, failed(code=70), tls=explained(*handshakes))
    assert verdict(host.judge()) == []


def test_alert_70_in_the_log_alone():
    host = world().logged(TCP, "tls-alert", detail={"alert": 70})
    host.probing = False
    assert one(host.judge())[0] == (VERSION, "cause", "likely")


def test_an_alert_in_the_log_of_what_works_now_is_over():
    host = world().reply(TCP, passed(verified=False)).logged(TCP, "tls-alert", detail={"alert": 70})
    assert verdict(host.judge()) == []


# --- certificates


@pytest.mark.parametrize(
    ("code", "why", "chain", "says", "fix"),
    [
        (18, "self-signed certificate", [issued("CN=me", "CN=me")], "signed by itself (CN=me)", "Make sure that CN=me"),
        (20, "unable to get local issuer", [issued()], "issued by CN=Some CA, which /etc/ssl/own-ca.pem does not hold", "Make sure that CN=Some CA"),
        (10, "certificate has expired", [issued(ends=NOW - DAY)], "it expired on 2023-11-13", "Renew"),
        (10, "certificate has expired", [issued(), issued("CN=Mid", ends=NOW - DAY)], "the certificate CN=Mid of its chain expired", "Renew"),
        (9, "certificate is not yet valid", [issued(begins=NOW + DAY)], "it is not valid before 2023-11-15", "clock"),
        (22, "certificate chain too long", [issued(), issued("CN=a"), issued("CN=b")], "longer than proxy_ssl_verify_depth 1", "proxy_ssl_verify_depth 2;"),
        (62, "x", [issued(names=["*.shop.example", "www.shop.example"])], "not for shop.example but for *.shop.example", "proxy_ssl_name www.shop.example;"),
        (23, "certificate revoked", [issued()], "it is revoked", "do not turn the verification off"),
        (3, "unable to get certificate CRL", [issued()], "cannot be held against", "revocation list"),
        (66, "EE certificate key too weak", [issued()], "EE certificate key too weak", "Give the backend"),
    ],
)
def test_what_is_wrong_with_a_certificate(code, why, chain, says, fix):
    said, finding = one(world(*VERIFIED).reply(TCP, failed("untrusted", code, why=why), tls=explained(shaken(""), chain=chain)).judge())
    assert said == (CERTIFICATE, "cause", "proven")
    assert says in finding.says
    assert fix in finding.fix.summary and "verify off" not in finding.fix.summary


@pytest.mark.parametrize(
    ("chain", "says"), [([issued(ends=NOW - DAY)], "expired"), ([issued(begins=NOW + DAY)], "not valid"), ([issued()], "issued by"), ([], "issuer")]
)
def test_a_python_that_does_not_tell_the_number(chain, says):
    said, finding = one(world(*VERIFIED).reply(TCP, failed("untrusted", None, why="certificate verify failed"), tls=explained(shaken(""), chain=chain)).judge())
    assert said == (CERTIFICATE, "cause", "proven") and says in finding.says


def test_a_trusted_file_that_nginx_may_not_have_read_yet():
    tried = failed("untrusted", 20, why="unable to get local issuer certificate")
    host = world(*VERIFIED).reply(TCP, tried, tls=explained(shaken(""), chain=[issued()], changed=LOADED + 60))
    assert one(host.judge())[0] == (CERTIFICATE, "cause", "likely")
    host.logged(TCP, "tls-verify", detail={"code": "20", "reason": "unable to get local issuer certificate"})
    assert one(host.judge())[0] == (CERTIFICATE, "cause", "proven")


def test_a_trusted_file_that_nginx_has_to_read_again():
    host = world(*VERIFIED).reply(TCP, passed(since=LOADED + 60)).logged(TCP, "tls-verify", detail={"code": "20"})
    said, finding = one(host.judge())
    assert said == (CERTIFICATE, "cause", "likely")
    assert (finding.fix.remedy, finding.fix.changes) == ("reload_nginx", ({"path": "/etc/nginx/nginx.conf", "force": True},))


def test_records_from_before_the_file_was_changed_are_over():
    host = world(*VERIFIED).reply(TCP, passed(since=NOW - 30)).logged(TCP, "tls-verify", detail={"code": "20"}, last=NOW - 60)
    assert verdict(host.judge()) == []


def test_the_log_of_a_verification_alone():
    host = world(*VERIFIED).logged(TCP, "tls-verify", detail={"code": "10", "reason": "certificate has expired"})
    host.probing = False
    said, finding = one(host.judge())
    assert said == (CERTIFICATE, "cause", "likely") and "it expired" in finding.says
    assert "(10: certificate has expired)" in " ".join(item.shows for item in finding.evidence)
    host = world(*VERIFIED).logged(TCP, "tls-verify", detail={"name": "shop.example"})
    host.probing = False
    assert "not for shop.example" in one(host.judge())[1].says


def test_a_file_that_could_not_be_read_leaves_the_log_to_speak():
    tls = {**passed(verified=False)["tls"], "verified": False, "why": "Permission denied"}
    host = world(*VERIFIED).reply(TCP, {"speak": "https", "tls": tls}).logged(TCP, "tls-verify", detail={"code": "20"})
    assert one(host.judge())[0] == (CERTIFICATE, "cause", "likely")


@pytest.mark.parametrize(("between", "code", "told"), [(None, "22", True), (None, "20", True), (None, "10", False), (1, "20", False)])
def test_a_python_that_cannot_measure_the_chain_leaves_its_length_to_the_log(between, code, told):
    host = world(*VERIFIED).reply(TCP, passed(between=between)).logged(TCP, "tls-verify", detail={"code": code})
    assert [item[:3] for item in verdict(host.judge())] == ([(CERTIFICATE, "cause", "likely")] if told else [])


def test_a_name_that_only_requests_tell_is_left_to_the_log():
    host = world(*VERIFIED[:2], "proxy_ssl_name $http_x_name;").reply(TCP, passed()).logged(TCP, "tls-verify", detail={"name": "a.example"})
    said, finding = one(host.judge())
    assert said == (CERTIFICATE, "cause", "likely") and "not for a.example" in finding.says


def shared(*lines: str, other: str = "", **service) -> World:
    """A site with a location that verifies and one that does not, and records of the first."""
    places = ["location / {", f"proxy_pass https://{TCP};", *VERIFIED, *lines, "}", "location /open/ {", f"proxy_pass https://{TCP};", other, "}"]
    host = World().site(*places).service("shop.service", TCP, **service).reply(TCP, passed())
    return host.logged(TCP, "tls-verify", path="/x", detail={"code": "20", "reason": "unable to get local issuer certificate"})


def test_a_session_that_was_made_without_the_verification():
    """Two locations with the same upstream share its TLS sessions, and nginx the verdict with them: seen with nginx 1.22.1."""
    said, finding = one(shared().judge())
    assert said == (CERTIFICATE, "cause", "likely")
    assert "a TLS session of location /open/" in finding.says and "proxy_ssl_session_reuse off" in finding.fix.summary


def test_a_record_of_the_second_in_which_nginx_was_loaded_is_of_the_worker_that_made_it():
    for pids, told in ((WORKERS, True), ((77,), False)):
        host = shared(started=LOADED - 9000)
        host.site(*host_lines(), mtime=LOADED + 0.2)
        for worker in host.instance["workers"]:
            worker["started"] = LOADED + 0.9
        host.log["groups"][0].update(last=LOADED, pids=list(pids))
        assert bool(verdict(host.judge())) is told


def host_lines() -> list[str]:
    return ["location / {", f"proxy_pass https://{TCP};", *VERIFIED, "}", "location /open/ {", f"proxy_pass https://{TCP};", "}"]


def test_a_session_that_may_be_of_a_backend_that_is_gone():
    said, finding = one(shared(started=NOW - 10).judge())
    assert said == (CERTIFICATE, "cause", "possible") and finding.alternatives


@pytest.mark.parametrize(("started", "pids", "certainty"), [(0.6, WORKERS, "likely"), (0.8, WORKERS, "possible"), (0.6, (77,), "possible")])
def test_a_record_of_the_second_in_which_the_backend_was_started_is_of_this_life_where_the_worker_is_younger(started, pids, certainty):
    host = shared(started=LOADED + started)
    for worker in host.instance["workers"]:
        worker["started"] = LOADED + 0.7
    host.log["groups"][0].update(last=LOADED, pids=list(pids))
    said, _finding = one(host.judge())
    assert said == (CERTIFICATE, "cause", certainty)


@pytest.mark.parametrize(("lines", "other"), [(("proxy_ssl_session_reuse off;",), ""), ((), "proxy_ssl_session_reuse off;"), ((), " ".join(VERIFIED))])
def test_sessions_that_are_not_shared_or_verified_alike(lines, other):
    assert verdict(shared(*lines, other=other).judge()) == []


def test_the_name_of_a_socket_is_its_path():
    host = World().site("location / {", "proxy_pass https://unix:/run/x.sock:;", *VERIFIED[:2], "proxy_ssl_server_name on;", "}")
    (batch,) = _targets.batches(host.bundle(), "", "GET", 10.0)
    assert (batch["targets"][0]["tls"]["name"], batch["targets"][0]["sni"]) == ("/run/x.sock", "/run/x.sock")


def test_nothing_is_verified_and_nothing_is_said():
    host = world("proxy_ssl_verify off;").reply(TCP, passed(verified=False, ends=NOW - DAY))
    assert verdict(host.judge()) == []


@pytest.mark.parametrize(("days", "told"), [(13, True), (15, False)])
def test_a_certificate_that_ends_soon(days, told):
    host = world(*VERIFIED).reply(TCP, passed(ends=NOW + days * DAY))
    found = [item[:3] for item in verdict(host.judge())]
    assert found == ([(CERTIFICATE, "risk", "proven")] if told else [])


# --- the other families


@pytest.mark.parametrize(
    ("target", "prefix", "speak"),
    [(f"grpc_pass grpcs://{TCP};", "grpc", "grpcs"), (f"uwsgi_pass suwsgi://{TCP};", "uwsgi", "suwsgi"), (f"proxy_pass https://{TCP};", "proxy", "https")],
)
def test_every_family_of_directives(target, prefix, speak):
    lines = [line.replace("proxy_", f"{prefix}_") for line in VERIFIED]
    host = world(*lines, f"{prefix}_ssl_protocols TLSv1.2;", f"{prefix}_ssl_verify_depth 3;", target=target)
    (batch,) = _targets.batches(host.bundle(), "", "GET", 10.0)
    asked = batch["targets"][0]
    assert (asked["speak"], asked["tls"]["protocols"], asked["tls"]["depth"], asked["tls"]["verify"]) == (speak, ["TLSv1.2"], 3, True)
    assert (asked["tls"]["trusted"], asked["tls"]["name"]) == ("/etc/ssl/own-ca.pem", "shop.example")
    tried = failed("untrusted", 62, speak=speak, why="x")
    host.reply(TCP, tried, tls=explained(shaken("", versions=("TLSv1.2",)), chain=[issued(names=["other.example"])]))
    said, finding = one(host.judge())
    assert said == (CERTIFICATE, "cause", "proven")
    assert f"{prefix}_ssl_name other.example;" in finding.fix.summary
    handshakes = [shaken("", "tls-alert", versions=("TLSv1.2",), code=40), shaken("shop.example", versions=("TLSv1.2",))]
    host.reply(TCP, failed(code=40, speak=speak), tls=explained(*handshakes))
    said, finding = one(host.judge())
    assert said == (SNI, "cause", "proven") and f"{prefix}_ssl_server_name on;" in finding.fix.summary


def stream(*lines: str) -> World:
    server = " ".join(("server { listen 5000; proxy_pass 127.0.0.1:3000;", *lines, "}"))
    return World().file("/etc/nginx/nginx.conf", "user www-data;\nevents {}\nstream {\n" + server + "\n}\n").service("shop.service", TCP)


def test_a_stream():
    host = stream("proxy_ssl on;")
    (batch,) = _targets.batches(host.bundle(), "", "GET", 10.0)
    assert (batch["targets"][0]["speak"], batch["targets"][0]["tls"]["protocols"]) == ("tls", list(OLD))
    handshakes = [shaken("", "tls-alert", code=70), shaken("", versions=("TLSv1.3",), version="TLSv1.3")]
    host.reply(TCP, failed(code=70, speak="tls"), tls=explained(*handshakes))
    said, finding = one(host.judge())
    assert said == (VERSION, "cause", "proven") and "proxy_ssl_protocols TLSv1.2 TLSv1.3;" in finding.fix.summary


def test_a_stream_without_tls_is_not_probed():
    assert _targets.batches(stream().bundle(), "", "GET", 10.0) == []
    assert _targets.batches(stream("proxy_ssl off;").bundle(), "", "GET", 10.0) == []


# --- a certificate of nginx's own


def test_what_the_probe_cannot_show_is_a_gap_and_no_fault():
    host = world("proxy_ssl_certificate /etc/ssl/own.pem;", "proxy_ssl_certificate_key /etc/ssl/own.key;")
    host.reply(TCP, {**failed("unlike", 40), "why": "nginx shows a certificate of its own here"})
    result = host.judge()
    assert (verdict(result), unknowns(result)) == ([], [("probe", TCP, "denied")])
    host.logged(TCP, "tls-alert", detail={"alert": 112})
    assert one(host.judge())[0] == (SNI, "cause", "likely")


@pytest.mark.parametrize(
    ("lines", "unlike"),
    [
        ((), ""),
        (("proxy_ssl_server_name on;",), ""),
        (("proxy_ssl_conf_command MinProtocol TLSv1;",), "proxy_ssl_conf_command changes what nginx speaks"),
        (("proxy_ssl_server_name on;", "proxy_ssl_name $http_x_name;"), "the server name that nginx sends depends on the request"),
        (("proxy_ssl_name $http_x_name;",), ""),
        (("proxy_ssl_server_name on;", "proxy_ssl_name $host;"), ""),
    ],
)
def test_what_the_probe_cannot_do_as_nginx_does(lines, unlike):
    (batch,) = _targets.batches(world(*lines, "proxy_ssl_verify on;").bundle(), "", "GET", 10.0)
    asked = batch["targets"][0]["tls"]
    assert asked["unlike"] == unlike
    assert asked["name"] == ("" if "$http_x_name" in " ".join(lines) else "shop.example" if "$host" in " ".join(lines) else "127.0.0.1")


def test_a_pass_of_several_values_has_no_name_that_is_known():
    outside = ("map $uri $backend { default 127.0.0.1:3000; /a 127.0.0.1:3001; }",)
    host = world(*VERIFIED[:2], target="proxy_pass https://$backend;", outside=outside)
    (batch,) = _targets.batches(host.bundle(), "", "GET", 10.0)
    assert [item["tls"]["name"] for item in batch["targets"]] == ["", ""]


@pytest.mark.parametrize(
    ("version", "protocols"),
    [("1.22.1", OLD), ("1.23.4", EVERY), ("1.27.2", EVERY), ("1.27.3", ("TLSv1.2", "TLSv1.3"))],
)
def test_the_versions_that_each_nginx_speaks(version, protocols):
    host = world()
    host.instance["build"]["value"]["version"] = version
    (batch,) = _targets.batches(host.bundle(), "", "GET", 10.0)
    assert batch["targets"][0]["tls"]["protocols"] == list(protocols)
    assert batch["targets"][0]["nginx"] == version


def test_paths_are_those_of_the_configuration_folder():
    host = world("proxy_ssl_verify on;", "proxy_ssl_trusted_certificate ca.pem;", "proxy_ssl_crl lists/own.crl;")
    (batch,) = _targets.batches(host.bundle(), "", "GET", 10.0)
    assert (batch["targets"][0]["tls"]["trusted"], batch["targets"][0]["tls"]["crl"]) == ("/etc/nginx/ca.pem", "/etc/nginx/lists/own.crl")


# --- what upstream_tls is told


def told(host: World) -> list[dict]:
    return [
        {key: value for key, value in change.items() if key != "context"}
        for finding in host.judge().findings
        for change in finding.fix.changes
        if finding.fix.remedy == "upstream_tls"
    ]


def nameless(*lines, **options) -> World:
    return world(*lines, **options).reply(TCP, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("shop.example")))


def test_the_location_of_the_pass_gets_the_name():
    (finding,) = nameless().judge().findings
    assert finding.fix.changes == (
        {
            "context": {"file": f"{SITES}shop", "line": 3, "expects": "location /"},
            "module": "proxy",
            "server_name": True,
            "name": "shop.example",
        },
    )


@pytest.mark.parametrize("line", ["proxy_ssl_name old.example;", "proxy_ssl_name 'old.example';"])
def test_what_the_location_has_is_expected_there(line):
    host = world(line).reply(TCP, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("shop.example")))
    assert told(host) == [{"module": "proxy", "server_name": True, "name": "shop.example", "replaces": {"name": ["old.example"]}}]


def test_what_the_location_inherits_is_left_for_the_others():
    host = World().site("proxy_ssl_server_name off;", f"location / {{ proxy_pass https://{TCP}; }}").service("shop.service", TCP)
    host.reply(TCP, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("shop.example")))
    assert told(host) == [{"module": "proxy", "server_name": True, "name": "shop.example"}]


def test_another_server_of_the_group_that_answers_as_it_is_asked_decides_against_a_name():
    group = (f"upstream shop_group {{ server {TCP}; server 127.0.0.1:3001; }}",)
    host = nameless(target="proxy_pass https://shop_group;", outside=group).service("b.service", "127.0.0.1:3001").reply("127.0.0.1:3001", passed())
    assert told(host) == []


def test_versions_and_ciphers():
    host = world("proxy_ssl_protocols TLSv1.2;").reply(
        TCP, failed(code=70), tls=explained(shaken("", "tls-alert", versions=("TLSv1.2",), code=70), shaken("", versions=("TLSv1.3",), version="TLSv1.3"))
    )
    assert told(host) == [{"module": "proxy", "protocols": ["TLSv1.2", "TLSv1.3"], "replaces": {"protocols": ["TLSv1.2"]}}]
    handshakes = [shaken("", "tls-alert", ciphers="AES128-SHA", code=40), shaken("", versions=("TLSv1.2",))]
    host = world("proxy_ssl_ciphers AES128-SHA;").reply(TCP, failed(code=40), tls=explained(*handshakes))
    assert told(host) == [{"module": "proxy", "ciphers": "DEFAULT", "replaces": {"ciphers": ["AES128-SHA"]}}]


def untrusted(code, chain, *lines) -> World:
    return world(*lines).reply(TCP, failed("untrusted", code, why="x"), tls=explained(shaken(""), chain=chain))


def test_a_chain_that_is_longer_than_is_allowed():
    chain = [issued(), issued("CN=a"), issued("CN=b")]
    assert told(untrusted(22, chain, *VERIFIED)) == [{"module": "proxy", "verify_depth": 2}]
    assert told(untrusted(22, chain, *VERIFIED, "proxy_ssl_verify_depth 0;")) == [{"module": "proxy", "verify_depth": 2, "replaces": {"verify_depth": ["0"]}}]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["*.shop.example", "shop.example"], [{"module": "proxy", "name": "shop.example", "replaces": {"name": ["old.example"]}}]),
        # Whoever holds any certificate of that CA would be trusted.
        (["attacker.example"], []),
    ],
)
def test_a_name_counts_only_where_the_configuration_has_it(names, expected):
    lines = (*VERIFIED[:2], "proxy_ssl_name old.example;")
    host = untrusted(62, [issued(names=names)], *lines)
    assert told(host) == expected
    assert host.judge().findings[0].fix.safety == ("risky" if expected else "manual")


def test_no_change_ever_weakens_the_verification():
    for code in (2, 3, 9, 10, 18, 19, 20, 21, 22, 23, 62, 66):
        for change in told(untrusted(code, [issued(names=["shop.example"])], *VERIFIED)):
            assert "verify" not in change and set(change) <= {"module", "name", "verify_depth", "trusted_certificate", "replaces"}


def test_which_authorities_are_trusted_is_left_open():
    host = untrusted(20, [issued()], *VERIFIED)
    assert told(host) == [{"module": "proxy", "trusted_certificate": "", "replaces": {"trusted_certificate": ["/etc/ssl/own-ca.pem"]}}]
    (finding,) = host.judge().findings
    assert finding.fix.safety == "manual" and "bad_gateway_ca_file" in finding.fix.summary
