# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims: what command lines, environments and files of real servers say, and what must not be read into others."""

import json
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host


def endpoints(claims):
    return [claim["endpoint"] for claim in claims.items]


def argv_claims(line, folder="/srv/app"):
    claims = _claims.Claims()
    _claims.from_argv(claims, line.split(), "ExecStart", folder)
    return endpoints(claims)


@pytest.mark.parametrize("port", ["\u00b2", "9" * 5000])
def test_a_port_that_is_no_number_for_python_claims_nothing(port):
    # Whoever may start a program must not break the question for all the others.
    assert argv_claims("/usr/bin/node server.js --port " + port) == []


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("3000", "*:3000"),
        (":3000", "*:3000"),
        ("*:3000", "*:3000"),
        ("0.0.0.0:8000", "*:8000"),
        ("[::]:8000", "*:8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("localhost:3000", "127.0.0.1:3000"),
        ("tcp://127.0.0.1:9292", "127.0.0.1:9292"),
        ("http://+:5000/", "*:5000"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("unix:///run/x.sock?umask=0111", "unix:/run/x.sock"),
        ("unix:x.sock", "unix:/srv/x.sock"),
        ("/run/my app.sock", "unix:/run/my app.sock"),
        ("fd://", ""),
        ("99999", ""),
        ("\u00b2", ""),
        ("9" * 250, ""),
        ("0", ""),
        ("app:app", ""),
        ("%(socket)s", ""),
        ("${PORT}", ""),
        ("unix:", ""),
        ("", ""),
    ],
)
def test_an_endpoint_is_read_in_every_way_that_servers_write_it(written, endpoint):
    assert _claims.endpoint_of(written, "/srv") == endpoint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/usr/bin/gunicorn --bind unix:/run/shop.sock shop.wsgi", ["unix:/run/shop.sock"]),
        ("/usr/bin/python3 /usr/bin/gunicorn -b 127.0.0.1:8000 -b [::1]:8000 app:app", ["127.0.0.1:8000", "[::1]:8000"]),
        ("gunicorn --bind=unix:shop.sock app:app", ["unix:/srv/app/shop.sock"]),
        ("uvicorn main:app --host 0.0.0.0 --port 8080", ["*:8080"]),
        ("uvicorn main:app --port 8080", ["*:8080"]),
        ("uvicorn main:app --uds /run/u.sock", ["unix:/run/u.sock"]),
        ("uwsgi --http-socket :9090 --wsgi-file app.py", ["*:9090"]),
        ("uwsgi -s /run/w.sock", ["unix:/run/w.sock"]),
        ("/usr/bin/node server.js --port=3000 --host 127.0.0.1", ["127.0.0.1:3000"]),
        ("puma -b tcp://127.0.0.1:9292", ["127.0.0.1:9292"]),
        ("rails server -b 127.0.0.1 -p 3000", ["127.0.0.1:3000"]),
        ("puma -p3001", ["*:3001"]),
        ("java -Dserver.port=8081 -jar app.jar", ["*:8081"]),
        ("java -jar app.jar --server.port=8082 --server.address=127.0.0.1", ["127.0.0.1:8082"]),
        ("dotnet app.dll --urls http://localhost:5000;http://+:5001", ["127.0.0.1:5000", "*:5001"]),
        ("python manage.py runserver 0.0.0.0:8000", ["*:8000"]),
        ("python3 -m http.server 8123", ["*:8123"]),
        ("/bin/sh -c cd /srv && exec node app.js --port 4000", ["*:4000"]),
        ("/usr/bin/env NODE_ENV=production node app.js -p 4001", ["*:4001"]),
        ("autossh -M 0 -N -L 3000:localhost:3000 db.example", ["127.0.0.1:3000"]),
        ("ssh -p 2222 -L [::1]:3000:localhost:80 -L /run/t.sock:localhost:80 host", ["[::1]:3000", "unix:/run/t.sock"]),
        ("docker run -p 127.0.0.1:3000:80 -p 8443:443/tcp image", ["127.0.0.1:3000", "*:8443"]),
        ("kubectl -n web port-forward --address 0.0.0.0 svc/shop 8080:80", ["*:8080"]),
        ("kubectl port-forward pod/shop 8080:80 9000", ["127.0.0.1:8080", "127.0.0.1:9000"]),
        ("kubectl proxy --port=8001", []),
        ("socat TCP-LISTEN:7000,fork,reuseaddr UNIX-CONNECT:/run/x.sock", ["*:7000"]),
    ],
)
def test_a_command_line_claims(line, expected):
    assert argv_claims(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "/usr/sbin/nginx -p 8080 -c /etc/nginx/nginx.conf",
        "ssh -p 2222 host",
        "/usr/bin/mkdir -p 3000",
        "node app.js --memory 3000",
        "python3 worker.py -s 30 -b 16 -l 5",
        "curl --socket /run/x.sock",
        "java -jar app.jar",
        "",
        "sh",
        "sh -c",
    ],
)
def test_a_command_line_claims_nothing(line):
    assert argv_claims(line) == []


def test_the_environment_claims_by_name_only():
    claims = _claims.Claims()
    variables = {"PORT": "3000", "HOST": "127.0.0.1", "DB_PORT": "3306", "DATABASE_URL": "x", "LISTEN": "unix:/run/e.sock", "GUNICORN_CMD_ARGS": "--bind :8001"}
    _claims.from_environment(claims, variables, "Environment")
    assert endpoints(claims) == ["*:8001", "unix:/run/e.sock", "127.0.0.1:3000"]
    assert not _claims.is_environment_name("DB_PORT")
    assert not _claims.is_environment_name("SECRET_TOKEN")


def test_a_host_that_is_a_machine_name_is_no_address():
    claims = _claims.Claims()
    _claims.from_environment(claims, {"PORT": "3000", "HOST": "web1"}, "Environment")
    assert endpoints(claims) == ["*:3000"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("app.listen(3000)", ["*:3000"]),
        ("app.listen(3000, '127.0.0.1', () => {})", ["127.0.0.1:3000"]),
        ("server.listen(process.env.PORT || 3000);", ["*:3000"]),
        ("const port = process.env.PORT || 3001;", ["*:3001"]),
        ("const PORT = Number(process.env.PORT ?? '3002')", ["*:3002"]),
        ("server.listen({ port: 3003, host: 'localhost' })", ["*:3003"]),
        ("app.listen('/run/node.sock')", ["unix:/run/node.sock"]),
        ("    app.run(host='0.0.0.0', port=5000)", ["*:5000"]),
        ("port = int(os.environ.get('PORT', 5001))", ["*:5001"]),
        ("port ENV.fetch(\"PORT\") { 3004 }", ["*:3004"]),
        ("serverPort = 8080", ["*:8080"]),
    ],
)
def test_a_line_of_a_program_claims(line, expected):
    assert list(dict.fromkeys(endpoint for endpoint in _claims.endpoints_in(line) if endpoint)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bind = '127.0.0.1:8000'", ["127.0.0.1:8000"]),
        ("bind = [\"0.0.0.0:8000\", \"unix:/run/g.sock\"]", ["*:8000", "unix:/run/g.sock"]),
        ("socket = /run/uwsgi/shop.sock", ["unix:/run/uwsgi/shop.sock"]),
        ("http-socket = :9090", ["*:9090"]),
        ("bind \"unix:///run/puma.sock\"", ["unix:/run/puma.sock"]),
        ("port 3000", ["*:3000"]),
        ("exec gunicorn --bind 127.0.0.1:8005 app", ["127.0.0.1:8005"]),
    ],
)
def test_a_line_of_a_configuration_claims(line, expected):
    assert list(dict.fromkeys(endpoint for endpoint in _claims.endpoints_in(line, "", True) if endpoint)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "mysql.createConnection({host: 'db', port: 3306})",
        "DB_PORT = 33060",
        "redis_port: 7000",
        "support = 3000",
        "import 3000",
        "unix_socket=/var/run/mysqld/mysqld.sock",
        "timeout = 3000",
        "port = 3000.5",
        "port = 999999",
        "http = require('http')",
    ],
)
def test_a_line_claims_nothing(line):
    assert [endpoint for endpoint in _claims.endpoints_in(line, "/srv", True) if endpoint] == []


def test_files_are_found_and_read_with_their_lines(tmp_path):
    folder = tmp_path / "srv" / "app"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"scripts": {"start": "node lib/server.js"}}))
    (folder / "lib").mkdir()
    (folder / "lib" / "server.js").write_bytes(b"// app.listen(9999)\n\xff\xfe binary\nconst key = 'secret';\napp.listen(3000)\n")
    claims = _claims.Claims()
    _claims.from_files(claims, Host(str(tmp_path)), ["/usr/bin/npm", "start"], "/srv/app")
    assert claims.items == [{"endpoint": "*:3000", "from": "/srv/app/lib/server.js:4"}]


def test_gunicorn_reads_its_configuration_unasked_and_uwsgi_names_its_own(tmp_path):
    folder = tmp_path / "srv"
    folder.mkdir()
    (folder / "gunicorn.conf.py").write_text("workers = 2\nbind = 'unix:shop.sock'\n")
    (folder / "blog.ini").write_text("[uwsgi]\nsocket = /run/uwsgi/%n.sock\n")
    claims = _claims.Claims()
    _claims.from_files(claims, Host(str(tmp_path)), ["/usr/bin/gunicorn", "app:app"], "/srv")
    _claims.from_files(claims, Host(str(tmp_path)), ["uwsgi", "--ini", "/srv/blog.ini"], "/")
    assert claims.items == [
        {"endpoint": "unix:/srv/shop.sock", "from": "/srv/gunicorn.conf.py:2"},
        {"endpoint": "unix:/run/uwsgi/blog.sock", "from": "/srv/blog.ini:2"},
    ]


def test_what_is_no_regular_file_claims_nothing(tmp_path):
    import os

    os.mkfifo(tmp_path / "app.js")
    (tmp_path / "loop.js").symlink_to("loop.js")
    claims = _claims.Claims()
    _claims.from_files(claims, Host(str(tmp_path)), ["node", "/app.js", "/loop.js", "/none.js"], "/")
    assert claims.items == []


def test_hostile_files_cost_little_and_claims_are_bounded(tmp_path):
    (tmp_path / "a.js").write_text("port" * 60000 + "\n" + "\n".join("app.listen(%d)" % port for port in range(2000, 9000)))
    (tmp_path / "b.conf").write_text(("port = " + "|" * 1900 + "\n") * 130 + "a.port" * 300 + "\n")
    claims = _claims.Claims()
    began = time.monotonic()
    _claims.from_files(claims, Host(str(tmp_path)), ["node", "/a.js", "/b.conf"], "/")
    assert time.monotonic() - began < 2
    assert len(claims.items) == _claims.MAX_CLAIMS


def test_hostile_names_are_made_harmless():
    claims = _claims.Claims()
    _claims.from_argv(claims, ["gunicorn", "--bind", "unix:/run/\x1b[2J\n{{x}}.sock"], "ExecStart", "/")
    assert endpoints(claims) == ["unix:/run/\\x1b[2J\\x0a{{x}}.sock"]


def test_the_near_end_of_stunnel(tmp_path):
    (tmp_path / "etc/stunnel").mkdir(parents=True)
    (tmp_path / "etc/stunnel/office.conf").write_text("client = yes\n[office]\naccept = 127.0.0.1:8080\nconnect = office.example:443\n;accept = 1.2.3.4:1\n")
    claims = _claims.Claims()
    _claims.from_files(claims, Host(str(tmp_path)), ["/usr/bin/stunnel4", "/etc/stunnel/office.conf"], "/")
    assert endpoints(claims) == ["127.0.0.1:8080"]


def test_a_script_that_opens_a_tunnel(tmp_path):
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "usr/local/bin/office").write_text("#!/bin/sh\n# ssh -L 1:b:2 c\nexec ssh -N -L 127.0.0.1:8080:127.0.0.1:80 office.example\n")
    for argv in (["/bin/sh", "/usr/local/bin/office"], ["/usr/local/bin/office", "start"]):
        claims = _claims.Claims()
        _claims.from_files(claims, Host(str(tmp_path)), argv, "/")
        assert claims.items == [{"endpoint": "127.0.0.1:8080", "from": "/usr/local/bin/office:3", "tunnel": "ssh"}]
