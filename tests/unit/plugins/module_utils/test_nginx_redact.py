# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redaction: no canary gets out, what diagnosis needs stays, and no line moves."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_redact as nginx_redact
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text


def redaction(*raws):
    return nginx_redact.Redaction(text.Redactor("key"), nginx_redact.needed_variables([nginx_text.read(raw) for raw in raws]))


def redacted(raw, outer=nginx_redact.DIRECTIVES):
    shown = redaction(raw).file(raw, nginx_text.read(raw), outer)
    assert shown.count(b"\n") == raw.count(b"\n")
    return shown


@pytest.mark.parametrize("line", [
    b"# password CANARY",
    b"proxy_set_header Authorization 'Basic CANARY';",
    b"proxy_set_header Cookie session=CANARY;",
    b"proxy_set_header X-Api-Key CANARY;",
    b"grpc_set_header X-Token CANARY;",
    b"add_header X-Secret CANARY;",
    b"fastcgi_param DB_PASSWORD CANARY;",
    b"uwsgi_param SECRET CANARY;",
    b'fastcgi_param PHP_VALUE "a=CANARY";',
    b"proxy_pass http://user:CANARY@127.0.0.1:3000;",
    b"proxy_pass http://127.0.0.1:3000/?api=CANARY;",
    b"proxy_pass http://127.0.0.1/eyJhbGciOiJIUzI1NiJ9.CANARY.sig;",
    b'secure_link_md5 "$uri CANARY";',
    b"secure_link_secret CANARY;",
    b"ssl_certificate_key data:CANARY;",
    b'set $token "CANARY"; proxy_pass http://b/?t=$token;',
    b"set $api_token CANARY; proxy_pass http://$api_token;",
    b"set $x 'CANARY\nCANARY';",
    b"map $http_x_key $client { CANARY a; b CANARY; }",
    b"map $http_x_key $backend { CANARY http://b; } proxy_pass $backend;",
    b"map $cookie_x $y { default 0; 123456789012 CANARY; }",
    b"geo $x { 10.0.0.0/8 CANARY; }",
    b"content_by_lua_block {\n local k = 'CANARY'\n}",
    b"content_by_lua 'CANARY';",
    b"js_set $x CANARY;",
    b"perl 'CANARY';",
    b"unknown_directive a CANARY;",
    b"unknown_block { CANARY b; key CANARY; }",
    b"rewrite ^ /x?token=CANARY permanent;",
    b"return 302 https://h/?code=CANARY;",
    b"return 200 CANARY;",
    b"if ($http_x = 'CANARY') { }",
    b"if ($http_x = CANARY) { }",
    b"if ($cookie_a ~ ^CANARY$) { }",
    b"env KEY=CANARY;",
    b"auth_basic CANARY;",
    b"sub_filter a CANARY;",
    b"proxy_set_body CANARY;",
    b"proxy_cookie_path / '/; CANARY';",
    b"server_name a\n secure_link_secret CANARY;",
    b'proxy_pass "http://a;\n secret CANARY;\n',
    b'root "/x;\n key CANARY;\n add_header a "b";',
    b"a 'b'c CANARY;\n listen CANARY;",
    b"} CANARY",
    b"CANARY",
    b"\"CANARY key\" 1;",
    b"root:$6$CANARY:19000:0:99999:7:::\nuser:CANARY:1:2\n",
    b"-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n",
    b"content_by_lua_block { CANARY\n",
    b"a " + b"x" * 5000 + b"CANARY;",
])
def test_no_secret_gets_out(line):
    assert b"CANARY" not in redacted(line)


@pytest.mark.parametrize("line", [
    b"listen [::]:80 default_server reuseport;",
    b"server_name a.example *.b.example ~^(?<n>.+)\\.c$;",
    b"location ~ ^/api/?(.*)$ { }",
    b"location = / { }",
    b"proxy_pass http://127.0.0.1:3000/base;",
    b"fastcgi_pass unix:/run/php/php8.2-fpm.sock;",
    b"proxy_pass https://$backend$request_uri?a=$arg_a&b=2;",
    b"upstream a { server 127.0.0.1:1 max_fails=0 fail_timeout=10s backup; zone a 64k; keepalive 16; }",
    b"include /etc/nginx/conf.d/*.conf;",
    b"proxy_read_timeout 60s; proxy_buffers 8 16k; proxy_buffer_size 8k; proxy_next_upstream error timeout\n http_502;",
    b"proxy_ssl_server_name on; proxy_ssl_name $host; proxy_ssl_protocols TLSv1.2; proxy_ssl_verify off;",
    b"error_log /var/log/nginx/error.log warn; access_log off;",
    b"proxy_set_header Host $host; proxy_set_header Connection \"\"; proxy_set_header X-Forwarded-Proto https;",
    b"fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;",
    b"try_files $uri $uri/ /index.php?$args =404;",
    b"error_page 502 504 =503 /50x.html;",
    b"return 301 https://$host$request_uri; return 444;",
    b"rewrite ^/a/?(.*)$ /index.php?q=$1 last;",
    b"if ($request_method = POST) { return 405; }",
    b"map $http_upgrade $connection_upgrade { default upgrade; '' close; } proxy_pass http://$connection_upgrade;",
    b"map $host $pool { hostnames; default 127.0.0.1:1; a.example unix:/run/a.sock; } proxy_pass http://$pool;",
    b"set $b app; set $c $b; proxy_pass http://$c;",
    b"user www-data; worker_processes auto; events { worker_connections 768; }",
    b"ssl_certificate_key /etc/ssl/k.pem; auth_basic_user_file /etc/nginx/users; auth_basic off;",
    b"unknown_directive on 10s 4k;",
    b"types { text/html html htm; }",
])
def test_what_diagnosis_needs_stays(line):
    assert redacted(line) == line


def test_an_included_file_is_read_as_its_place():
    row = b"CANARY client;\n"
    raw = b"map $http_x_key $c { include keys; }"
    inside = nginx_redact.inside([nginx_text.read(raw).statements[0]], nginx_redact.DIRECTIVES, frozenset())
    assert b"CANARY" not in redacted(row, inside)
    assert b"CANARY" not in redacted(row, inside.stricter(nginx_redact.DIRECTIVES))


@pytest.mark.parametrize("raw", [
    b'a "x"y z;\nlisten 80;', b'server {\n proxy_pass "http://x\n }', b"server_name a;\n}\nlisten 80;", b"a {\n b c\n}\n", b"content_by_lua_block {\n\n 'x\n",
    b";", b"a;\n {", b"a {\n",
])
def test_a_broken_file_still_breaks_at_its_line(raw):
    before, after = nginx_text.read(raw).error, nginx_text.read(redacted(raw)).error
    assert (after.text, after.line) == (before.text, before.line)


def test_structure_is_kept():
    raw = b"if ($http_x = 'secret') { set $a 'x\ny' ; } if ($http_x = secret) { }"
    before = [(len(statement.words), statement.terminator) for statement, _parents in nginx_text.read(raw).walk()]
    assert [(len(statement.words), statement.terminator) for statement, _parents in nginx_text.read(redacted(raw)).walk()] == before
    assert b"= 'redacted:" in redacted(raw)


def test_the_same_secret_has_the_same_mark():
    marks = redacted(b"x_y 'hunter two'; z_w \"hunter two\"; x_y other;").split(b"redacted:")
    assert marks[1][:8] == marks[2][:8] != marks[3][:8]


def test_messages_lose_what_was_marked():
    raw = b"proxy_set_header X-Api-Key hunter22; x 'abc';"
    made = redaction(raw)
    made.file(raw, nginx_text.read(raw))
    assert "hunter22" not in made.say('invalid parameter "X-hunter22-Y"')
    assert '"abc"' not in made.say('invalid value "abc"')
    assert made.say('unknown directive "proxy_passs"') == 'unknown directive "proxy_passs"'
    assert "hunter" not in made.say('too long parameter "hunterhunt..." started')


def test_bytes_that_are_no_text():
    raw = b"server_name \xff\xfe.example; x_y \xff;"
    assert redacted(raw).startswith(b"server_name \xff\xfe.example; x_y redacted:")
