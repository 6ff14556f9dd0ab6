# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx refuses in a response header. The verdicts for 1.22.1 were compared with a running nginx 1.22.1."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _response_header as response_header
from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire

OLD, DEBIAN, NEW = (1, 21, 0), (1, 22, 1), (1, 23, 0)


def refused(line, version, cgi=False):
    return bool(response_header.refusal(line + b"\r\n\r\n", version, cgi))


@pytest.mark.parametrize(
    ("line", "by"),
    [
        (b"X Bad: 1", (DEBIAN, NEW)),
        (b"X-Bad : 1", (DEBIAN, NEW)),
        (b":empty", (DEBIAN, NEW)),
        (b"X\x01: 1", (DEBIAN, NEW)),
        (b"\x7f: 1", (DEBIAN, NEW)),
        (b" lead: 1", (DEBIAN, NEW)),
        (b"\tlead: 1", (DEBIAN, NEW)),
        (b"No Colon", (DEBIAN, NEW)),
        (b"X: a\n folded", (DEBIAN, NEW)),
        (b"X: a\0b", (OLD, DEBIAN, NEW)),
        (b"X\0: 1", (OLD, DEBIAN, NEW)),
        (b"X: a\rb", (OLD, DEBIAN, NEW)),
        (b"\rX: 1", (OLD, DEBIAN, NEW)),
        (b"Content-Length: 2\r\nContent-Length: 2", (NEW,)),
        (b"content-length: 2\r\nTransfer-Encoding: chunked", (NEW,)),
        (b"Content-Length: x", (NEW,)),
        (b"Content-Length: -1", (NEW,)),
        (b"Content-Length:", (NEW,)),
        (b"Transfer-Encoding: gzip", (NEW,)),
        (b"Transfer-Encoding: gzip, chunked", (NEW,)),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", (NEW,)),
        (b"Transfer-Encoding: Chunked", ()),
        (b"Content-Length: 2 ", ()),
        (b"Date: x\r\nDate: y", ()),
        (b"X: a\x01b", ()),
        (b"NoColon", ()),
        (b"X_Y: 1", ()),
        (b"X(: 1", ()),
        (b"\xc3\xa9: x", ()),
        (b"X: 1\r\r", ()),
        (b"X\r", ()),
        (b"HTTP/1.1 200 OK", ()),
    ],
)
def test_by_version(line, by):
    assert tuple(version for version in (OLD, DEBIAN, NEW) if refused(line, version)) == by
    assert refused(line, None) == (NEW in by)


@pytest.mark.parametrize(("value", "bad"), [(b"200 OK", False), (b"404", False), (b"OK", True), (b"20", True), (b"", True)])
def test_status_of_a_gateway(value, bad):
    assert refused(b"Status: " + value, DEBIAN, cgi=True) is bad
    assert refused(b"Status: " + value, DEBIAN) is False


def test_what_comes_after_the_header_is_no_header():
    assert response_header.refusal(b"X: 1\r\n\r\nX Bad: 1\r\n\r\n", DEBIAN) == ""


def test_values_are_not_shown():
    assert "canary" not in response_header.refusal(b"Set Cookie: canary\r\n\r\n") + response_header.refusal(b"Cookie: canary\0\r\n\r\n")


@pytest.mark.parametrize(("written", "version"), [("1.22.1", (1, 22, 1)), ("1.21.4.1", (1, 21, 4)), ("", None), (None, None), ("x", None)])
def test_version(written, version):
    assert response_header.version(written) == version


def test_the_readers_take_the_version():
    twice = b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n"
    assert [wire.read_http(b"HTTP/1.1 200 OK\r\n" + twice, version).status for version in (DEBIAN, NEW)] == ["ok", "invalid"]
    assert [wire.read_cgi(twice, version).status for version in (DEBIAN, NEW)] == ["ok", "invalid"]
    record = b"\x01\x06\x00\x01" + len(twice).to_bytes(2, "big") + b"\0\0" + twice
    assert [wire.read_fastcgi(record, version).status for version in (DEBIAN, NEW)] == ["ok", "invalid"]
