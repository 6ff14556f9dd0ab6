# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of what a program prints as it dies the line that says why is shown, wherever it stands."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._last_words import last_words

NODE = """\
Error: Cannot find module 'orders'
Require stack:
- /srv/shop/app.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15)
    at Module.load (node:internal/modules/cjs/loader:1203:32) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/srv/shop/app.js' ]
}
Node.js v18.20.4
shop.service: Scheduled restart job, restart counter is at 6.
Stopped shop.service - Web shop.
Started shop.service - Web shop."""
GUNICORN = """\
  File "/srv/billing/wsgi.py", line 1, in <module>
ModuleNotFoundError: No module named 'billing'
[2026-11-27 16:55:54 +0000] [321] [INFO] Worker exiting (pid: 321)
[2026-11-27 16:55:54 +0000] [320] [ERROR] Worker (pid:321) exited with code 3
[2026-11-27 16:55:54 +0000] [320] [ERROR] Shutting down: Master
[2026-11-27 16:55:54 +0000] [320] [ERROR] Reason: Worker failed to boot.
billing.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED
billing.service: Failed with result 'exit-code'."""
GO = """\
panic: open /etc/app/config.yml: no such file or directory
goroutine 1 [running]:
main.main()
\t/src/main.go:12 +0x1d
one
two
three"""
NO_PROGRAM = """\
app.service: Failed at step EXEC spawning /srv/app/app: No such file or directory
app.service: Main process exited, code=exited, status=203/EXEC
app.service: Failed with result 'exit-code'.
app.service: Scheduled restart job, restart counter is at 5.
Stopped app.service.
app.service: Start request repeated too quickly.
app.service: Failed with result 'exit-code'.
Failed to start app.service."""
RUBY = """\
/usr/lib/ruby/3.1/bundler/spec_set.rb:91:in `materialize': Could not find rack-2.2.4 in any of the sources (Bundler::GemNotFound)
\tfrom 1
\tfrom /srv/a.rb
\tfrom /srv/b.rb
\tfrom /srv/c.rb
\tfrom /srv/d.rb"""
JAVA = """\
APPLICATION FAILED TO START
***************************
Description:
Web server failed to start. Port 8080 was already in use.
Action:
Identify and stop the process.
Or configure another port.
Bye"""


def shown(said: str) -> list[str]:
    return [item.shows for item in last_words("app", said.split("\n"))]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (NODE, "Error: Cannot find module 'orders'"),
        (GUNICORN, "ModuleNotFoundError: No module named 'billing'"),
        (GO, "panic: open /etc/app/config.yml: no such file or directory"),
        (NO_PROGRAM, "app.service: Failed at step EXEC spawning /srv/app/app: No such file or directory"),
        (RUBY, RUBY.partition("\n")[0]),
        (JAVA, "Web server failed to start. Port 8080 was already in use."),
    ],
    ids=["node", "gunicorn", "go", "no-program", "ruby", "java"],
)
def test_the_line_that_says_why(said, why):
    found = shown(said)
    assert why in found and len(found) == 5
    assert sorted(found, key=said.replace("\t", "\\x09").rindex) == found


def test_without_an_error_the_last_of_them():
    assert shown("one\ntwo\nthree\nfour\nfive\nsix\nseven") == ["three", "four", "five", "six", "seven"]
    assert shown("Started app.service.") == ["Started app.service."]
    assert last_words("app", ()) == []


def test_each_attempt_says_the_same_but_for_numbers():
    said = "\n".join(f"[{number}] cannot bind to port 80\n[{number}] leaving" for number in range(10))
    assert shown(said) == ["[9] cannot bind to port 80", "[9] leaving"]


def test_what_a_program_says_is_shown_harmless():
    (item,) = last_words("app", ["Error: \x1b[2J\u202e no"])
    assert item.from_ == "last words of app" and "\x1b" not in item.shows and "\u202e" not in item.shows
