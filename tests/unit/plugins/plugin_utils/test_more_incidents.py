# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More incidents as people report them: what was found to be the cause, what a host would have shown, the first finding and its fix."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.handshakes import explained, failed, issued, shaken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import (
    MAIN, MAIN_TEXT, NOW, OTHER_MNT, SITES, WORKERS, World, port_check, verdict
)

APP, PHP = "127.0.0.1:3000", "unix:/run/php/php8.2-fpm.sock"
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'
TWICE = (NOW - 300, NOW - 60)
OPEN, OVER = "unexplained", "recovered"

_INCIDENTS = []


def happened(*expected: str, fix: str = "") -> Callable:
    """Note an incident: id, kind and certainty of its first finding and words of its fix, or OPEN or OVER and what is said of it."""

    def note(build: Callable[[], World]) -> Callable[[], World]:
        _INCIDENTS.append(pytest.param(build, expected, fix, id=build.__name__))
        return build

    return note


def app(*lines: str, comm: str = "node", **more) -> World:
    """A site with a backend on port 3000; its location passes there unless lines say otherwise."""
    return World().site(*(lines or (f"location / {{ proxy_pass http://{APP}; }}",)), **more).service("app.service", APP, comm=comm)


def kept(comm: str, seconds: float | None = None) -> World:
    """A backend to which nginx keeps connections, and the time for which it keeps idle ones, where it says it."""
    world = app(f"location / {{ proxy_pass http://app; {KEPT} }}", comm=comm, outside=["upstream app { server 127.0.0.1:3000; keepalive 32; }"])
    return world.reply(APP, {"keep_alive": {"kept": True, "seconds": seconds}})


def in_containers(target: str, name: str = "", address: str = "172.18.0.3", listen: str = "", comm: str = "app", **more) -> World:
    """nginx in a container that passes to a target, beside another container of its network that listens."""
    world = World().docker_network("shop_default", "172.18.0.0/16").container("shop-web-1", "shop_default=172.18.0.2", service="web")
    if name:
        world.container(name, f"shop_default={address}", service=name, **more).resolve(name, address)
    if listen:
        world.listen(listen, inside=name, comm=comm)
    return world.nginx_in("shop-web-1").passes(target)


def without_socket(path: str, missing: str = "", directive: str = "fastcgi_pass") -> World:
    target = f"http://unix:{path}" if directive == "proxy_pass" else f"{directive} unix:{path}"
    return World().passes(target).missing(path, missing).logged(f"unix:{path}", "connect-no-socket", level="crit")


def denied(world: World, path: str) -> World:
    return world.reply(f"unix:{path}", connect="denied").logged(f"unix:{path}", "connect-denied", level="crit")


# --- containers


@happened("container-port-mapping", "cause", "proven", fix="jetty:8080 instead of jetty:80")
def jetty_is_asked_on_port_80() -> World:
    """It is published at a port that the engine chose, and listens on neither."""
    return in_containers("http://jetty:80", "jetty", listen="0.0.0.0:8080", ports=["0.0.0.0:49153:80"]).logged("172.18.0.3:80")


@happened("container-port-mapping", "cause", "proven", fix="api:80 instead of api:5000")
def kestrel_listens_elsewhere_in_a_container_than_on_a_desk() -> World:
    """Its image has another port than the developer's machine."""
    return in_containers("http://api:5000", "api", listen="[::]:80", comm="dotnet").logged("172.18.0.3:5000")


@happened("container-loopback-bind", "cause", "proven", fix="0.0.0.0:5000")
def kestrel_on_the_localhost_of_its_container() -> World:
    """Both of its loopback addresses."""
    world = in_containers("http://api:5000", "api", listen="127.0.0.1:5000", comm="dotnet").logged("172.18.0.3:5000")
    world.listen("[::1]:5000", inside="api", comm="dotnet")
    return world


@happened("container-port-mapping", "cause", "likely", fix="api:8000 instead of 10.0.0.5:8000")
def a_port_that_is_exposed_and_not_published() -> World:
    """nginx asks the address of the host."""
    return in_containers("http://10.0.0.5:8000", "api", listen="0.0.0.0:8000", exposed=[8000]).logged("10.0.0.5:8000")


@happened("dns-stale-address", "cause", "proven", fix="docker exec shop-web-1 nginx -s reload")
def one_service_was_restarted_and_nobody_is_where_it_was() -> World:
    """No route to host, until the container of nginx was restarted too."""
    world = in_containers("http://api:8080", "api", "172.18.0.4", "0.0.0.0:8080", started=NOW - 600)
    return world.logged("172.18.0.3:8080", "connect-unreachable")


@happened("dns-stale-address", "cause", "proven", fix="Reload")
def two_services_changed_their_addresses() -> World:
    """Where the API was is a proxy now, which does not have its port."""
    world = in_containers("http://api:5988", "api", "172.18.0.4", "0.0.0.0:5988", started=NOW - 600)
    world.container("haproxy", "shop_default=172.18.0.3", service="haproxy", started=NOW - 605).listen("0.0.0.0:5984", inside="haproxy", comm="haproxy")
    return world.logged("172.18.0.3:5988")


@happened("container-localhost", "cause", "proven", fix="kuma:3001 instead of 127.0.0.1:3001")
def a_published_port_is_sought_on_the_loopback_of_nginxs_container() -> World:
    """curl on the host reaches it."""
    return in_containers(f"http://{APP[:-1]}1", "kuma", listen="0.0.0.0:3001", ports=["0.0.0.0:3001:3001"]).logged("127.0.0.1:3001")


@happened("container-port-mapping", "cause", "proven", fix='ports: ["8000:8000"]')
def a_port_is_published_on_the_hosts_loopback_alone() -> World:
    """nginx comes from another network, by host.docker.internal."""
    world = in_containers("http://host.docker.internal:8000").docker_network("api_default", "172.19.0.0/16")
    world.container("api", "api_default=172.19.0.2", service="api", project="api", ports=["127.0.0.1:8000:8000"]).listen("0.0.0.0:8000", inside="api")
    return world.hosts_row("host.docker.internal", "172.17.0.1").logged("172.17.0.1:8000")


@happened("backend-wrong-address", "cause", "proven", fix="Let the backend listen on 172.17.0.1:8000")
def uvicorn_on_the_hosts_loopback_and_nginx_in_a_container() -> World:
    """host.docker.internal is not the loopback."""
    world = in_containers("http://host.docker.internal:8000").service("api.service", "127.0.0.1:8000", comm="uvicorn")
    return world.hosts_row("host.docker.internal", "172.17.0.1").logged("172.17.0.1:8000")


def to_the_host(connect: str = "timeout") -> World:
    world = in_containers("http://172.18.0.1:3000").service("api.service", "0.0.0.0:3000").route("172.18.0.1")
    world.network["routes"]["172.18.0.1"]["local"] = False
    return world.reply("172.18.0.1:3000", connect=connect, seconds=10.0).logged("172.18.0.1:3000", "connect-timeout")


@happened("firewall-blocked", "cause", "likely", fix="Let TCP connections to 172.18.0.1:3000 through on this host")
def ufw_was_switched_on_and_containers_no_longer_reach_the_host() -> World:
    """What is forwarded to published ports it lets through."""
    return to_the_host()


@happened("dns-resolver-failing", "cause", "proven", fix="10.43.0.10:53")
def the_resolver_of_docker_in_a_cluster() -> World:
    """Nothing answers at 127.0.0.11."""
    name = "catalogue.tools.svc.cluster.local"
    world = World().site("resolver 127.0.0.11;", f"set $to http://{name}:5000;", "location / { proxy_pass $to; }").resolve(name, "10.43.0.9")
    world.reply("10.43.0.9:5000", {}).dns("127.0.0.11", name, status="unreachable").dns("10.43.0.10", name, "10.43.0.9", system=True)
    return world.logged("", "name-not-resolved", upstream="", detail={"name": name, "code": 110})


@happened("dns-resolver-failing", "cause", "proven", fix="Write the full name")
def a_short_name_that_only_the_search_domain_makes_whole() -> World:
    """ping finds it, nginx does not."""
    world = World().site("resolver 127.0.0.11;", "set $to http://wiki:80;", "location / { proxy_pass $to; }").resolve("wiki", "10.10.10.12")
    world.reply("10.10.10.12:80", {}).dns("127.0.0.11", "wiki", status="nxdomain")
    world.answers["resolvers"]["value"][MAIN]["system"]["search"].append("corp.example")
    return world.logged("", "name-not-resolved", upstream="", detail={"name": "wiki", "code": 3})


# --- sockets


@happened("endpoint-kind-mismatch", "cause", "proven", fix="127.0.0.1:8000 instead of unix:/run/gunicorn.sock")
def gunicorn_was_started_with_a_port_and_nginx_has_a_socket() -> World:
    """A copied socket file did not help."""
    return without_socket("/run/gunicorn.sock", directive="proxy_pass").service("app.service", "0.0.0.0:8000", comm="gunicorn")


@happened("endpoint-kind-mismatch", "cause", "proven", fix="127.0.0.1:8000 instead of unix:///data/sock/uwsgi.sock")
def a_group_for_uwsgi_that_no_pass_uses() -> World:
    """The pass has a socket, with three slashes, in a folder that was never made."""
    return without_socket("///data/sock/uwsgi.sock", "/data/sock", "uwsgi_pass").service("app.service", "127.0.0.1:8000", comm="uwsgi")


@happened("endpoint-kind-mismatch", "cause", "proven", fix="127.0.0.1:9000 instead of unix:/var/run/php5-fpm.sock")
def an_update_of_a_role_moved_php_to_a_port() -> World:
    """Its default had changed."""
    return without_socket("/var/run/php5-fpm.sock").pool("127.0.0.1:9000", version="5.6")


@happened("socket-path-mismatch", "cause", "proven", fix="unix:/run/php/php8.2-fpm.sock instead of unix:/run/php/php-fpm.sock")
def a_link_in_run_is_gone_after_a_boot() -> World:
    """Somebody had made it by hand."""
    return without_socket("/run/php/php-fpm.sock").pool(PHP)


@happened("backend-start-failing", "cause", "proven", fix="Mend what its last words name")
def the_folder_for_the_socket_is_gone_after_a_boot() -> World:
    """PHP-FPM cannot bind it."""
    world = without_socket(PHP[5:], "/run/php").pool(PHP, running=False).missing(PHP[5:], "/run/php")
    world.units[0].update(active="failed", sub="failed", result="exit-code", status=78)
    return world


@happened("backend-start-failing", "cause", "proven", fix="systemctl start shop.service")
def kestrel_finds_its_port_taken() -> World:
    """Forty times; what had taken it went away."""
    world = World().passes("http://127.0.0.1:5000").logged("127.0.0.1:5000")
    return world.unit("shop.service", "127.0.0.1:5000", active="activating", result="exit-code", restarts=40, code="dumped", status=6)


@happened("socket-permission", "cause", "proven", fix="gunicorn --umask 007")
def the_workers_of_nginx_are_no_longer_roots() -> World:
    """gunicorn still is, and its socket is 0755."""
    path = "/tmp/gunicorn.sock"
    world = World().passes(f"http://unix:{path}").service("app.service", f"unix:{path}", comm="gunicorn")
    return denied(world.socket(path, mode="0755", uid=0, gid=0, folders={"/tmp": {"mode": "1777"}}), path)


@happened("socket-permission", "cause", "proven", fix="UMask=0007")
def kestrel_makes_a_socket_that_others_may_only_read() -> World:
    """0755."""
    path = "/run/kestrel/shop.sock"
    world = World().passes(f"http://unix:{path}").service("shop.service", f"unix:{path}", comm="dotnet")
    return denied(world.socket(path, mode="0755", uid=1000, gid=1000), path)


@happened("socket-private-tmp", "cause", "proven", fix="below /run")
def nginx_has_a_tmp_of_its_own() -> World:
    """It is nginx.service that has PrivateTmp."""
    world = without_socket("/tmp/app.sock", directive="uwsgi_pass").service("app.service", "unix:/tmp/app.sock", comm="uwsgi", path=False)
    for process in (world.instance["master"], *world.instance["workers"]):
        process["mnt"] = OTHER_MNT
    return world


@happened("selinux-network-connect", "cause", "proven", fix="8081")
def a_repository_on_the_port_of_a_transparent_proxy() -> World:
    """A new image of the machine enforces SELinux."""
    endpoint = "127.0.0.1:8081"
    world = World().passes(f"http://{endpoint}").service("repository.service", endpoint, comm="java").logged(endpoint, "connect-denied", level="crit")
    world.selinux(system="centos", domains={world.units[0]["main_pid"]: "unconfined_service_t"})
    label = {"type": "http_port_t", "allowed": False, "booleans": ["httpd_can_network_connect", "httpd_can_network_relay"]}
    world.decides(endpoint, port_check(8081, "transproxy_port_t", ["httpd_can_network_connect"], (label,)))
    return world.avc("name_connect", "transproxy_port_t", "tcp_socket", port=8081)


# --- protocols


@happened("tls-sni-missing", "cause", "proven", fix="proxy_ssl_server_name on")
def a_content_network_refuses_both_addresses_and_then_none_is_left() -> World:
    """The log ends with "no live upstreams", which is what was looked at first."""
    world = World().passes("https://api.edge.example").resolve("api.edge.example", "198.51.100.32", "198.51.100.33")
    for endpoint in ("198.51.100.32:443", "198.51.100.33:443"):
        world.reply(endpoint, failed(code=40), tls=explained(shaken("", "tls-alert", code=40), shaken("api.edge.example")))
        world.logged(endpoint, "tls-alert", detail={"alert": 40, "reason": "sslv3 alert handshake failure"})
    return world.logged("api.edge.example", "no-live-upstreams", upstream="https://api.edge.example/")


@happened("tls-sni-missing", "cause", "proven", fix="proxy_ssl_name shop.example")
def a_proxy_before_a_proxy_that_wants_a_name() -> World:
    """The second is reached by its address, and knows the names of the first one's clients."""
    world = World().site("location / { proxy_pass https://192.168.7.20; proxy_set_header Host $host; }")
    world.reply("192.168.7.20:443", failed(code=112), tls=explained(shaken("", "tls-alert", code=112), shaken("shop.example")))
    return world.logged("192.168.7.20:443", "tls-alert", detail={"alert": 112, "reason": "tlsv1 unrecognized name"})


@happened("tls-sni-missing", "cause", "proven", fix="proxy_ssl_name api.dev.example")
def the_name_in_the_handshake_is_cut_from_a_whole_url() -> World:
    """nginx takes it up to the colon; one content network does not mind, the other closes."""
    name, endpoint = "api.dev.example", "198.51.100.50:443"
    lines = ("resolver 10.0.0.2;", f"set $to https://{name};", "location / { proxy_pass $to; proxy_ssl_server_name on; proxy_ssl_name $to; }")
    world = World().site(*lines).resolve(name, endpoint[:-4]).dns("10.0.0.2", name, endpoint[:-4])
    world.reply(endpoint, failed("closed", None, speak="https-sni"), tls=explained(shaken("https", "closed"), shaken(name)))
    return world.logged(endpoint, "tls-alert", message="peer closed connection in SSL handshake", **{"class": "tls-closed"})


@happened("tls-certificate-untrusted", "cause", "proven", fix="Renew the certificate")
def the_certificate_of_an_internal_service_expired() -> World:
    """proxy_ssl_verify is on."""
    lines = "proxy_ssl_verify on; proxy_ssl_trusted_certificate /etc/ssl/ca.pem; proxy_ssl_name shop.internal;"
    chain = [issued(subject="CN=shop.internal", names=("shop.internal",), ends=NOW - 3600)]
    world = World().site(f"location / {{ proxy_pass https://10.0.0.9; {lines} }}")
    world.reply("10.0.0.9:443", failed("untrusted", 10, why="certificate has expired"), tls=explained(shaken(""), chain=chain))
    return world.logged("10.0.0.9:443", "tls-verify", detail={"code": 10, "reason": "certificate has expired"})


@happened("http2-protocol-mismatch", "cause", "proven", fix="proxy_pass http://10.0.0.9:9999")
def a_proxy_of_http_1_between_nginx_and_a_grpc_service() -> World:
    """Its "HTTP" is read as the length of a frame."""
    world = World().site("location / { grpc_pass grpc://10.0.0.9:9999; }")
    world.reply("10.0.0.9:9999", {"speak": "http2", "status": "invalid", "code": None, "start": "HTTP/1.1 400"}, {"speak": "http"})
    return world.logged("10.0.0.9:9999", "http2-protocol", message="upstream sent too large http2 frame", detail={"length": 4740180})


@happened(OPEN, "upstream rejected request with error (1)")
def a_browser_asks_a_grpc_service_for_its_icon() -> World:
    """Nothing is wrong with the service."""
    world = app("location / { grpc_pass grpc://127.0.0.1:3000; }").reply(APP, {"speak": "http2"})
    return world.logged(APP, "http2-protocol", message="upstream rejected request with error", detail={"error": 1}, path="/favicon.ico")


@happened("websocket-headers-missing", "cause", "proven", fix="proxy_set_header Upgrade $http_upgrade")
def a_websocket_server_that_answers_426() -> World:
    """It answers plain requests so."""
    return app(f"location /ws {{ proxy_pass http://{APP}; }}").reply(APP, {"code": 426}, {"speak": "websocket", "code": 101}).visited(426, APP, path="/ws")


@happened(OPEN, "upstream prematurely closed connection")
def every_request_asks_for_an_upgrade() -> World:
    """Connection "Upgrade" is sent with plain requests too, and a server closes on some of them."""
    lines = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "Upgrade";'
    return app(f"location / {{ proxy_pass http://{APP}; {lines} }}").logged(APP, "closed-early", path="/watch")


@happened(OPEN, "recv() failed (104)")
def a_pool_takes_connections_from_one_address_alone() -> World:
    """listen.allowed_clients, and the address of the container of nginx was another one."""
    world = World().passes("fastcgi_pass php:9000").resolve("php", "172.18.0.5")
    return world.reply("172.18.0.5:9000", {"speak": "fastcgi-ping", "status": "closed", "code": None}).logged("172.18.0.5:9000", "reset-early")


@happened(OPEN, "upstream prematurely closed connection")
def a_server_of_the_same_nginx_waits_for_the_proxy_protocol() -> World:
    """A pass over HTTP does not speak it."""
    inner = "server { listen 127.0.0.1:8080 proxy_protocol; server_name in.example; location / { root /srv; } }\n"
    world = World().passes("http://127.0.0.1:8080").file(SITES + "in", inner).listen_of_nginx("0.0.0.0:80", "127.0.0.1:8080")
    return world.reply("127.0.0.1:8080", {"status": "closed", "code": None}).logged("127.0.0.1:8080", "closed-early")


# --- groups and limits


@happened("no-live-upstreams", "cause", "proven", fix="max_fails=3")
def a_group_with_one_server_and_one_that_is_down() -> World:
    """One slow answer puts the only one aside."""
    world = World().passes("http://music", outside=["upstream music { server 172.17.0.2:9000; server 127.0.0.1 down; }"]).reply("172.17.0.2:9000", {})
    world.logged("172.17.0.2:9000", "read-timeout", count=1, last=NOW - 8, path="/slow")
    return world.logged("music", "no-live-upstreams", upstream="http://music/", last=NOW - 3).visited(502, "music", last=NOW - 2)


@happened("no-live-upstreams", "cause", "proven", fix="Remove \"down\"")
def a_generated_group_whose_only_server_is_down() -> World:
    """The generator did not know the port."""
    return World().passes("http://z", outside=["upstream z { server 172.17.0.2 down; }"]).logged("z", "no-live-upstreams", upstream="http://z/")


@happened("no-live-upstreams", "risk", "likely", fix="max_fails=3")
def servers_that_drop_one_method() -> World:
    """HEAD is closed without an answer, and puts aside one server after the other."""
    world = World().passes("http://app", outside=["upstream app { server 10.0.1.1:80; server 10.0.1.2:80; }"])
    for endpoint in ("10.0.1.1:80", "10.0.1.2:80"):
        world.reply(endpoint, {}).logged(endpoint, "closed-early", methods={"HEAD": 4}, count=4, path="/x", last=NOW - 20)
    return world.logged("app", "no-live-upstreams", upstream="http://app/", last=NOW - 19).visited(502, "app", last=NOW - 19)


@happened("no-live-upstreams", "cause", "likely", fix="pass to an upstream group of its addresses, which can have max_fails, or to 127.0.0.1:8000")
def localhost_has_one_address_less_than_it_seems() -> World:
    """::1 refuses, and one slow request puts the other aside; a name in a pass cannot have a max_fails."""
    world = World().passes("http://localhost:8000").service("app.service", "127.0.0.1:8000", comm="gunicorn").resolve("localhost", "127.0.0.1", "::1")
    world.logged("[::1]:8000").logged("127.0.0.1:8000", "read-timeout", path="/export", count=2)
    return world.logged("localhost", "no-live-upstreams", upstream="http://localhost/", last=NOW - 4)


@happened("backend-wrong-address", "risk", "proven", fix="[::1]:3000")
def the_backend_listens_on_the_ipv6_loopback_alone() -> World:
    """localhost has both, and every other try is refused."""
    return World().passes("http://localhost:3000").service("pad.service", "[::1]:3000").resolve("localhost", "::1", "127.0.0.1").logged(APP)


@happened("worker-connections-exhausted", "cause", "proven", fix="worker_connections 1536")
def websockets_fill_the_768_of_a_distribution() -> World:
    """A reload helps for an hour."""
    world = app().file(MAIN, MAIN_TEXT.replace("events {}", "events { worker_connections 768; }"))
    world.limits["processes"][str(WORKERS[0])].update(descriptors=780, sockets=769)
    return world.logged(APP, "connections-exhausted")


def open_to_all(*lines: str, peer: str = "10.0.0.5:80", path: str = "/") -> World:
    world = World().site("resolver 8.8.8.8;", *(lines or ("location / { proxy_pass http://$http_host$uri$is_args$args; }",)))
    return world.listen_of_nginx("0.0.0.0:80").logged(peer, "connections-exhausted", count=300, path=path)


@happened("proxy-loop", "cause", "likely", fix="by a map")
def a_proxy_for_what_anybody_names_is_asked_for_itself() -> World:
    """worker_connections had been raised to 10240, in vain."""
    return open_to_all()


@happened("firewall-blocked", "cause", "proven", fix="nf_conntrack_max")
def the_table_of_connections_is_full() -> World:
    """504 in the evenings; no rule is at fault."""
    world = World().passes("http://10.0.0.9:8080").route("10.0.0.9").reply("10.0.0.9:8080", connect="timeout", seconds=10.0)
    world.network["conntrack"] = {"count": 65536, "max": 65536}
    return world.logged("10.0.0.9:8080", "connect-timeout")


def kept_body(what: str, said: str, **more) -> World:
    folder = "/usr/local/nginx/client_body_temp"
    sample = f'{said[:-5]} "{folder}/0000000074" failed'
    return app().temp_path("client_body_temp_path", folder, **more).logged("", what, upstream="", methods={"POST": 3}, level="crit", sample=sample)


@happened("proxy-temp-permission", "cause", "proven", fix="chown www-data")
def uploads_of_more_than_a_buffer_fail() -> World:
    """The folder is root's; nothing reaches the backend."""
    return kept_body("temp-file-denied", "open() (13)", uid=0)


@happened("proxy-temp-permission", "cause", "likely", fix="more room")
def a_film_does_not_fit_where_nginx_keeps_it() -> World:
    """The large disk is another one."""
    return kept_body("disk-full", "pwrite() (28)", space={"bytes": 6 << 30})


# --- backends


@happened("backend-killed-by-manager", "cause", "likely", fix="request_terminate_timeout to 58 s")
def php_ends_a_script_after_three_seconds() -> World:
    """502 in place of a page that takes 20."""
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, request_terminate_timeout=3.0).logged(PHP, "reset-early", count=2, moments=list(TWICE))
    return world.ended("www (PHP 8.2)", "terminate-timeout", kind="pool", at=TWICE, script="/srv/test.php", timeout=3.0)


@happened("backend-killed-by-manager", "cause", "likely")
def harakiri_comes_before_nginx_gives_up() -> World:
    """50 s against 60."""
    world = app(f"location / {{ uwsgi_pass {APP}; }}", comm="uwsgi").logged(APP, "closed-early", count=2, moments=list(TWICE))
    world.server(world.units[0]["main_pid"], "uwsgi", 2, told={"timeout": 50})
    return world.ended("app.service", "harakiri", at=TWICE)


@happened("backend-workers-exhausted", "cause", "proven", fix="--processes")
def the_hundred_of_uwsgis_queue() -> World:
    """Resource temporarily unavailable."""
    path = "/var/sockets/shop.sock"
    world = World().passes(f"uwsgi_pass unix:{path}").service("app.service", f"unix:{path}", comm="uwsgi")
    world.server(world.units[0]["main_pid"], "uwsgi", 4, told={"workers": 4})
    world.reply(f"unix:{path}", connect="full", queue={"accepted": False, "length": 101, "backlog": 100})
    return world.logged(f"unix:{path}", "connect-queue-full", count=40)


@happened(OPEN, "recv() failed (104)")
def a_pool_of_two_children_and_resets() -> World:
    """That all children were busy does not say why connections were reset."""
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, max_children=2).logged(PHP, "reset-early", count=4, moments=list(TWICE))
    return world.ended("www (PHP 8.2)", "max-children", kind="pool", at=TWICE, limit=2)


@happened("keepalive-race", "cause", "possible", fix="for longer than the 60 s of nginx")
def jetty_closes_idle_connections_and_does_not_say_when() -> World:
    """After 30 s, as was found out."""
    return kept("java").logged(APP, "closed-early", methods={"POST": 3}, count=3, path="/order")


@happened("keepalive-race", "cause", "possible")
def a_request_is_reset_while_it_is_sent_on_a_kept_connection() -> World:
    """writev() failed (104)."""
    sent = {"message": "writev() failed", "phase": "sending request to upstream", "methods": {"POST": 3}}
    return kept("java").logged(APP, "reset-early", count=3, path="/order", **sent)


@happened("keepalive-race", "cause", "likely", fix="keepalive_timeout 1s")
def gunicorn_keeps_connections_for_two_seconds() -> World:
    """With a class of workers that keeps them at all."""
    world = kept("gunicorn").logged(APP, "closed-early", methods={"POST": 3}, count=3, path="/order")
    world.server(world.units[0]["main_pid"], "gunicorn", 4, told={"class": "uvicorn.workers.UvicornWorker"})
    return world


@happened(OPEN, "upstream prematurely closed connection")
def a_server_gives_up_on_requests_of_five_seconds() -> World:
    """It says nothing of it, and nginx keeps no connection."""
    return app().logged(APP, "closed-early", methods={"POST": 3}, count=3, path="/graphql")


@happened(OVER, "answers again")
def one_refused_connection_in_a_day() -> World:
    """As a worker was replaced."""
    return app(comm="gunicorn").logged(APP, count=1, first=NOW - 400, last=NOW - 400, moments=[NOW - 400])


@happened(OPEN, "the backend itself answered 503")
def a_page_of_maintenance() -> World:
    """nginx hands it on."""
    return app().reply(APP, {"code": 503}).visited(503, APP, made_by="backend")


@pytest.mark.parametrize(("build", "expected", "fix"), _INCIDENTS)
def test_the_first_finding_of_an_incident_and_its_fix(build, expected, fix):
    result = build().judge()
    found = [item[:3] for item in verdict(result)]
    if expected[0] in (OPEN, OVER):
        said = result.recovered if expected[0] == OVER else [item.why for item in result.unknown if item.id == OPEN]
        assert found == []
        assert [expected[1] in text for text in said] == [True]
        return
    first = min((item for item in result.findings if item.kind != "advice"), key=lambda item: item.rank)
    assert found[0] == expected
    assert fix in first.fix.summary


# --- what was said wrongly once, and healthy look-alikes


def test_a_file_system_without_room_is_looked_at_with_df():
    found = a_film_does_not_fit_where_nginx_keeps_it().judge().findings
    assert [item.next for item in found if item.id == "proxy-temp-permission"] == ["df -h /usr/local/nginx/client_body_temp"]


def test_a_folder_that_is_somebody_elses_is_looked_at_with_namei():
    found = uploads_of_more_than_a_buffer_fail().judge().findings
    assert [item.next for item in found if item.id == "proxy-temp-permission"] == ["namei -l /usr/local/nginx/client_body_temp"]


def test_a_full_table_of_connections_is_counted():
    assert [item.next[:6] for item in the_table_of_connections_is_full().judge().findings if item.id == "firewall-blocked"] == ["sysctl"]


def test_a_name_of_addresses_that_all_answer_is_not_to_lose_some():
    world = World().passes("http://app.internal:8000").resolve("app.internal", "10.0.0.7", "10.0.0.8").reply("10.0.0.7:8000", {}).reply("10.0.0.8:8000", {})
    result = world.logged("app.internal", "no-live-upstreams", upstream="http://app.internal/", last=NOW - 4).judge()
    said = {item.fix.summary for item in result.findings if item.id == "no-live-upstreams"}
    assert [("which can have max_fails, at" in text, "10.0.0." in text) for text in said] == [(True, False)]


def test_an_address_of_a_name_that_may_move_is_not_written_down():
    world = World().passes("http://app.internal:8000").resolve("app.internal", "10.0.0.7", "10.0.0.8").reply("10.0.0.7:8000", {})
    world.reply("10.0.0.8:8000", connect="timeout", seconds=10.0).logged("app.internal", "no-live-upstreams", upstream="http://app.internal/", last=NOW - 4)
    said = {item.fix.summary for item in world.judge().findings if item.id == "no-live-upstreams"}
    assert ["or to 10.0.0.7" in text for text in said] == [False]


@pytest.mark.parametrize("connect", ["timeout", "unreachable"])
def test_the_host_keeps_a_container_from_an_open_socket(connect):
    assert verdict(to_the_host(connect).judge())[0][:3] == ("firewall-blocked", "cause", "likely")


def test_a_socket_of_the_host_that_takes_nothing_more_is_not_filtered():
    world = to_the_host()
    next(item for item in world.listeners["tcp"] if item["port"] == 3000).update(accept_queue=512, backlog=511)
    assert [item[:3] for item in verdict(world.judge())] == [("backend-overloaded", "cause", "proven")]


def test_a_published_port_that_another_network_does_not_reach_is_not_for_the_hosts_filter_alone():
    world = in_containers("http://172.18.0.1:8000").docker_network("api_default", "172.19.0.0/16")
    world.container("api", "api_default=172.19.0.2", service="api", project="api", ports=["0.0.0.0:8000:8000"]).listen("0.0.0.0:8000", inside="api")
    world.reply("172.18.0.1:8000", connect="timeout", seconds=10.0).logged("172.18.0.1:8000", "connect-timeout")
    assert [item[0] for item in verdict(world.judge()) if item[0] == "firewall-blocked"] == []


def test_a_socket_of_the_host_that_answers_a_container():
    assert [item[0] for item in verdict(to_the_host("ok").reply("172.18.0.1:3000", {}).judge())] == []


def test_a_host_without_containers_is_not_said_to_filter_them():
    world = World().passes("http://10.0.0.5:3000").service("api.service", "0.0.0.0:3000").route("10.0.0.5")
    world.reply("10.0.0.5:3000", connect="timeout", seconds=10.0).logged("10.0.0.5:3000", "connect-timeout")
    assert [item[0] for item in verdict(world.judge()) if item[0] == "firewall-blocked"] == []


def first_of(world: World) -> tuple[str, ...]:
    return verdict(world.judge())[0][:3]


TOO_FEW = ("worker-connections-exhausted", "cause", "likely")


def test_what_anybody_names_led_to_others():
    assert first_of(open_to_all(peer="203.0.113.7:80")) == TOO_FEW


def test_what_anybody_names_led_to_a_server_that_answers():
    world = open_to_all(peer="10.0.0.5:8080").listen_of_nginx("0.0.0.0:8080")
    assert first_of(world.site("return 200;", name="status", port=8080)) == TOO_FEW


def test_a_pass_of_its_own_leads_where_anybody_might_have_named():
    lines = ("location /out/ { proxy_pass http://$http_x_to; }", "location /in/ { proxy_pass http://10.0.0.5/out/; }")
    assert first_of(open_to_all(*lines, path="/out/x")) == TOO_FEW


def test_a_proxy_for_what_anybody_names_that_refuses_some():
    guarded = "location / { if ($http_host = 10.0.0.5) { return 403; } proxy_pass http://$http_host$uri; }"
    assert first_of(open_to_all(guarded)) == TOO_FEW


def test_a_proxy_for_what_anybody_names_that_is_found_by_its_own_name_alone():
    world = open_to_all().file(SITES + "default", "server { listen 80 default_server; return 444; }\n")
    assert first_of(world) == ("proxy-loop", "cause", "likely")


def test_another_server_had_no_connection_left():
    world = open_to_all().file(SITES + "default", "server { listen 80 default_server; server_name other.example; return 444; }\n")
    world.log["groups"][0]["server"] = "other.example"
    assert first_of(world) == TOO_FEW


def test_a_loop_before_nginx_was_loaded_anew_is_none_now():
    world = open_to_all()
    world.log["groups"][0].update(first=NOW - 9000, last=NOW - 8000, moments=[NOW - 9000, NOW - 8000], pids=[77])
    assert [item[0] for item in verdict(world.judge()) if item[0] == "proxy-loop"] == []
