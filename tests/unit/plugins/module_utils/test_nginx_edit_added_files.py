# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that come with an edit of an nginx configuration: read like any other, and edited in the same go."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as edit

MAIN, GROUP = "/etc/nginx/nginx.conf", "/etc/nginx/group.conf"
HTTP = b"http {\n    server { location / { proxy_pass http://127.0.0.1:3000; } }\n}\n"
EMPTY = b"upstream shop {\n}\n"


def configuration(main=HTTP, matches=None):
    return edit.Configuration(MAIN, {MAIN: main}, {}, matches or {})


def directive(name, *args, state=edit.PRESENT):
    return edit.Directive(name, edit.encode(args), state)


def test_a_file_that_is_included_by_the_same_edit_is_edited_too():
    files = configuration()
    files.add_file(GROUP, EMPTY, True)
    files.apply(edit.Context(block="http"), directive("include", GROUP, state=edit.APPENDED))
    files.apply(edit.Context(upstream="shop"), directive("server", "127.0.0.1:3000"))
    assert files.changed() == {
        MAIN: HTTP[:-2] + b"    include /etc/nginx/group.conf;\n}\n",
        GROUP: b"upstream shop {\n    server 127.0.0.1:3000;\n}\n",
    }


def test_a_file_that_is_there_is_changed_only_where_it_is_edited():
    files = configuration()
    files.add_file(GROUP, EMPTY, False)
    assert files.changed() == {}
    files.apply(edit.Context(block="http"), directive("include", GROUP, state=edit.APPENDED))
    assert list(files.changed()) == [MAIN]


def test_a_file_of_the_configuration_stays_as_it_is():
    files = configuration()
    files.add_file(MAIN, b"", True)
    assert files.changed() == {} and files.files[MAIN].raw == HTTP


@pytest.mark.parametrize(
    ("pattern", "path", "included"),
    [
        ("/etc/nginx/conf.d/*.conf", "/etc/nginx/conf.d/group.conf", True),
        ("/etc/nginx/conf.d/*.conf", "/etc/nginx/conf.d/.group.conf", False),
        ("/etc/nginx/conf.d/*.conf", "/etc/nginx/conf.d/group.conf.off", False),
        ("/etc/nginx/*", "/etc/nginx/conf.d/group.conf", False),
    ],
)
def test_an_include_that_is_there_may_lead_to_it(pattern, path, included):
    files = configuration(b"http {\n    include %s;\n}\n" % pattern.encode(), {pattern: []})
    files.add_file(path, EMPTY, True)
    found = [block for block in files.root.walk() if block.name == b"upstream"]
    assert len(found) == included
