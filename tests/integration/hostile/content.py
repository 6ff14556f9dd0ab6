# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put on the hosts that the hostile tests diagnose: text that means harm, and secrets that must stay there."""

from __future__ import annotations

import json

from lab_faults import File, Steps

# Made by whatever evaluates, expands or runs a text that came from a host.
MARKER = "/tmp/evaluated-by-mistake"

# One word for each place where people keep secrets. Letters and digits only: no escape changes them on their way out.
SECRETS = {
    place: f"Zq{number:02d}K7vXw9Jb3Rt5"
    for number, place in enumerate(
        (
            "proxy_set_header Authorization",
            "proxy_set_header X-Api-Key",
            "proxy_set_header Cookie",
            "add_header",
            "return URL with user and password",
            "rewrite query",
            "fastcgi_param",
            "map key",
            "map value",
            "set",
            "comment with a name",
            "comment",
            "if header",
            "htpasswd file",
            "broken statement",
            "after the broken statement",
            "Lua block",
            "unit Environment",
            "unit ExecStart option",
            "unit EnvironmentFile",
            "journal",
            "supervisor environment",
            "supervisor command",
            "PM2 env",
            "PM2 arguments",
            "process option",
            "process URL",
            "PHP-FPM env",
            "query in a request",
            "query in a referrer",
            "query in a forged record",
            "header in a log",
        )
    )
}

ESCAPES = "\x1b]0;title\x07\x1b[2J\x1b[31m\u009b31m\u202ereversed\u202c\u200b\x7f"
TEMPLATE = "{{ lookup('pipe','touch " + MARKER + "') }}"
SHELL = f"$(touch {MARKER})`touch {MARKER}`;touch {MARKER};"
MARKUP = "<script>alert(1)</script>"
RAW = "{% raw %}{{ 7*7 }}{% endraw %}"
TEXTS = (TEMPLATE, SHELL, MARKUP, RAW, ESCAPES, "!unsafe", "'; DROP", '"quoted"')

# Names that nginx allows, of a group and of a location; the location's connections to the group are not kept open, which a remedy can mend.
GROUP = "queue {{ 7*7 }}; %s '"
LOCATION = f"/{TEMPLATE};%s'{ESCAPES}"

# A name that systemd allows and that a shell, a template or a terminal could take for more.
UNIT = r"shop\x3btouch\x20it\x27s.service"


def nginx_site() -> bytes:
    """Return a site in Latin-1 with hostile names and secrets; nginx takes it, and its backend at 127.0.0.1:3000 is down."""
    s = SECRETS
    names = " ".join(f'"{text}"' for text in (TEMPLATE, MARKUP, RAW, f"a;touch {MARKER}'.example"))
    top = f"""# password: {s["comment with a name"]}
# {s["comment"]}
map $http_x_token $tenant {{
    default "";
    "{s["map key"]}" "{s["map value"]}";
}}
upstream "{GROUP}" {{ server 127.0.0.1:3102; keepalive 4; }}
server {{
    listen 80 default_server;
    server_name {names} shop.example "line
feed.example" """
    harmful = b'"' + ESCAPES.encode() + b' caf\xe9\xff\xfe.example"'
    rest = f""";
    set $token "{s["set"]}";
    add_header X-Internal-Token {s["add_header"]};
    auth_basic_user_file /etc/nginx/private/users;
    auth_basic off;

    location / {{
        if ($http_x_key = "{s["if header"]}") {{ return 204; }}
        proxy_set_header Authorization "Bearer {s["proxy_set_header Authorization"]}";
        proxy_set_header X-Api-Key {s["proxy_set_header X-Api-Key"]};
        proxy_set_header Cookie "session={s["proxy_set_header Cookie"]}";
        proxy_pass http://127.0.0.1:3000;
    }}
    location /moved {{ return 302 https://admin:{s["return URL with user and password"]}@old.example/; }}
    location /old {{ rewrite ^ /new?key={s["rewrite query"]} last; }}
    location ~ \\.php$ {{
        fastcgi_param DB_PASSWORD {s["fastcgi_param"]};
        fastcgi_pass unix:/run/php/{MARKUP.replace("/", "")}.sock;
    }}
    location /static/ {{ root /srv/www; }}
    location "{LOCATION}" {{
        proxy_set_header X-Api-Key {s["proxy_set_header X-Api-Key"]}; # {s["comment"]}
        proxy_pass "http://{GROUP}";
    }}
}}
"""
    return top.encode() + harmful + rest.encode()


def broken_site() -> bytes:
    """Return a site that nginx refuses at a word which is a secret, with more secrets behind it."""
    s = SECRETS
    return (
        f"""server {{
    listen 80 default_server;
    server_name shop.example;
    location / {{ proxy_pass http://127.0.0.1:3000; }}
    location /lua {{
        content_by_lua_block {{
            local key = "{s["Lua block"]}"
        }}
    }}
    {s["broken statement"]} on;
    proxy_set_header Authorization "Basic {s["after the broken statement"]};
}}
""".encode()
        + b"# \xff\xfe \x1b]0;x\x07\n"
    )


def unit() -> bytes:
    """Return the unit of the backend that is stopped."""
    s = SECRETS
    return f"""[Unit]
Description=Shop {TEMPLATE.replace("%", "%%")} {MARKUP}

[Service]
User=app
Environment=HOST=127.0.0.1 PORT=3000 DB_PASSWORD={s["unit Environment"]}
EnvironmentFile=-/etc/default/shop
ExecStartPre=/bin/echo password={s["journal"]} \\x1b[31m {MARKUP}
ExecStart=/usr/bin/node /srv/shop/app.js --api-key {s["unit ExecStart option"]} --password={s["unit ExecStart option"]}
Restart=on-failure

[Install]
WantedBy=multi-user.target
""".encode()


def supervisor() -> bytes:
    """Return a supervisor program that runs."""
    s = SECRETS
    return f"""[program:mailer]
command=/usr/bin/python3 -m http.server --bind 127.0.0.1 3101 --directory /srv/www
environment=DB_PASSWORD="{s["supervisor environment"]}",PORT="3101"
user=app

[program:digest]
command=/bin/sh -c "exec sleep 1000" --token={s["supervisor command"]}
autostart=false
""".encode()


def ecosystem() -> bytes:
    """Return the PM2 file of an app that runs."""
    s = SECRETS
    app = {
        "name": f"queue {MARKUP}",
        "script": "/srv/queue/app.js",
        "args": f"--secret={s['PM2 arguments']}",
        "env": {"HOST": "127.0.0.1", "PORT": "3102", "API_TOKEN": s["PM2 env"]},
    }
    return json.dumps({"apps": [app]}).encode()


def pool() -> bytes:
    """Return a PHP-FPM pool."""
    return f"""[billing]
user = www-data
group = www-data
listen = /run/php/billing.sock
pm = ondemand
pm.max_children = 2
env[DB_PASSWORD] = {SECRETS["PHP-FPM env"]}
""".encode()


def hidden_process() -> bytes:
    """Return a program that listens at 127.0.0.1:3103 under a name and with arguments that mean harm."""
    s = SECRETS
    words = [
        "web\x1b]0;x\x07\n" + TEMPLATE,
        "-c",
        "import socket\ns = socket.create_server(('127.0.0.1', 3103))\nwhile True: s.accept()[0].close()",
        "--password",
        s["process option"],
        f"postgres://app:{s['process URL']}@db.example/shop",
        MARKUP,
        "\udcff\udcfe\u202e",
    ]
    lines = ["import os", f"os.execv('/usr/bin/python3', {words!a})"]
    return "\n".join(lines).encode()


def writer() -> bytes:
    """Return a program that appends forged and hostile records to the error log of nginx."""
    s = SECRETS
    bodies = [
        f"connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.9, server: {text}, "
        f'request: "GET /{text}?token={s["query in a forged record"]} HTTP/1.1", upstream: "http://127.0.0.1:3999/{text}", host: "{text}", '
        f'referrer: "http://x.example/?sid={s["query in a referrer"]}"'
        for text in TEXTS
    ]
    bodies.append(
        f"connect() to unix:/run/php/{TEMPLATE}.sock failed (13: Permission denied) while connecting to upstream, client: 10.0.0.9, server: x, "
        f'request: "GET / HTTP/1.1", upstream: "fastcgi://unix:/run/php/{TEMPLATE}.sock:", host: "Authorization: Bearer {s["header in a log"]}"'
    )
    return f"""import time
now = time.strftime("%Y/%m/%d %H:%M:%S ").encode()
bodies = [body.encode("utf-8", "surrogateescape") for body in {bodies!a}]
with open("/var/log/nginx/error.log", "ab") as log:
    for body in bodies:
        log.write(now + b"[error] 99#99: *1 " + body + b"\\n")
    log.write(now + b"[error] 99#99: *1 upstream \\x00\\x01\\xff\\xfe\\xc3\\x28 \\x1b[31m while connecting to upstream\\n")
    log.write(now + b"[error] 99#99: *1 connect() failed while connecting to upstream " + b"A" * (1 << 20) + b"\\n")
    log.write(now + b"[emerg] 99#99: " + bodies[0] + b" in /etc/nginx/\\x1b[2J:12\\n")
    log.write(now + b"[error] 99#99: *1 upstream without an end" )
""".encode()


# reader may not become root; asker may, with a password that nobody gives.
USERS = """
for user in reader asker; do
    useradd --create-home --shell /bin/bash $user
    mkdir -m 0700 /home/$user/.ssh
    cp /root/.ssh/authorized_keys /home/$user/.ssh/
    chown -R $user: /home/$user/.ssh
done
"""

# The backend of the site is a unit that was stopped; all the rest is noise around it.
EDGE = Steps(
    (
        File(
            "/srv/shop/app.js",
            b'require("http").createServer((q, r) => r.end("ok\\n")).listen(Number(process.env.PORT), process.env.HOST);\n',
            0o644,
            "root:root",
        ),
        File(
            "/srv/queue/app.js",
            b'require("http").createServer((q, r) => r.end("ok\\n")).listen(Number(process.env.PORT), process.env.HOST);\n',
            0o644,
            "root:root",
        ),
        File("/srv/queue/ecosystem.json", ecosystem(), 0o644, "root:root"),
        File(f"/etc/systemd/system/{UNIT}", unit(), 0o644, "root:root"),
        File("/etc/default/shop", f"SMTP_PASSWORD={SECRETS['unit EnvironmentFile']}\n".encode(), 0o600, "root:root"),
        File("/etc/supervisor/conf.d/mailer.conf", supervisor(), 0o600, "root:root"),
        File("/etc/php/8.2/fpm/pool.d/billing.conf", pool(), 0o600, "root:root"),
        File("/etc/nginx/private/users", f"admin:{SECRETS['htpasswd file']}\n".encode(), 0o600, "root:root"),
        File("/etc/nginx/private/site.conf", nginx_site(), 0o600, "root:root"),
        File("/etc/nginx/sites-enabled/shop", b"include /etc/nginx/private/site.conf;\n", 0o644, "root:root"),
        File("/srv/listen.py", hidden_process(), 0o644, "root:root"),
        File("/srv/write_log.py", writer(), 0o644, "root:root"),
    ),
    f"""
unit='{UNIT}'
systemctl daemon-reload
systemctl start "$unit"
wait-for 127.0.0.1:3000
systemctl restart nginx
systemctl start supervisor php8.2-fpm
systemd-run --unit=listen --uid=app /usr/bin/python3 /srv/listen.py
pm2 start /srv/queue/ecosystem.json >/dev/null
wait-for 127.0.0.1:3101 127.0.0.1:3102 127.0.0.1:3103
systemctl stop "$unit"
python3 /srv/write_log.py
printf 'asker ALL=(ALL) ALL\\n' > /etc/sudoers.d/asker
{USERS}setfacl -m u:reader:--- /usr/bin/sudo
""",
)

# nginx runs with a good configuration; what is in its file now is refused.
BROKEN = Steps(
    (
        File(
            "/etc/nginx/sites-enabled/shop",
            b"server { listen 80 default_server; server_name shop.example; location / { proxy_pass http://127.0.0.1:3000; } }\n",
            0o644,
            "root:root",
        ),
        File("/srv/broken.conf", broken_site(), 0o644, "root:root"),
    ),
    f"""
systemctl restart nginx
cp /srv/broken.conf /etc/nginx/sites-enabled/shop
nginx -t >>/var/log/nginx/error.log 2>&1 || true
mv /usr/bin/sudo /usr/bin/sudo-not-here
{USERS}""",
)

PLAIN = Steps(
    (),
    """systemctl disable --now nginx
dpkg --purge --force-all $(dpkg-query -W -f '${Package} ' 'nginx*' 'libnginx*') >/dev/null 2>&1
rm -rf /etc/nginx
! command -v nginx""",
)
BARE = Steps((), 'for python in /usr/bin/python3*; do mv "$python" "/srv/$(basename "$python")"; done')


def forged_path(date: str) -> str:
    """Return the path of a request whose "not found" record goes on with a perfect record of another failure.

    nginx writes the decoded path into its log, line feeds included (ngx_http_static_module.c); date is "2026/01/31 12:00:00".
    """
    record = (
        f"{date} [crit] 77#77: *5 connect() to unix:/run/php/other.sock failed (13: Permission denied) while connecting to upstream, client: 10.0.0.9, "
        f'server: shop.example, request: "GET / HTTP/1.1", upstream: "fastcgi://unix:/run/php/other.sock:", host: "shop.example"'
    )
    return "/static/x%0A" + "".join(f"%{byte:02X}" for byte in record.encode()) + "%0A"
