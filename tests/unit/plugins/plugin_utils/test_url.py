# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL that a user asks about."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _url


@pytest.mark.parametrize(
    ("written", "scheme", "host", "port", "target", "header"),
    [
        ("https://shop.example/cart/a.json", "https", "shop.example", 443, "/cart/a.json", "shop.example"),
        ("HTTP://Shop.Example", "http", "shop.example", 80, "/", "shop.example"),
        ("http://shop.example:8080/a?b=c#d", "http", "shop.example", 8080, "/a?b=c", "shop.example:8080"),
        ("https://shop.example:443?x", "https", "shop.example", 443, "/?x", "shop.example"),
        ("http://[::1]:81/a", "http", "[::1]", 81, "/a", "[::1]:81"),
        ("http://10.0.0.5/%61//b/../c", "http", "10.0.0.5", 80, "/%61//b/../c", "10.0.0.5"),
        ("http://b\u00fccher.example/\u00e9 x", "http", "xn--bcher-kva.example", 80, "/%C3%A9%20x", "xn--bcher-kva.example"),
        ("  http://a/  ", "http", "a", 80, "/", "a"),
        ("http://user:pa@ss@a/b@c", "http", "a", 80, "/b@c", "a"),
    ],
)
def test_a_url(written, scheme, host, port, target, header):
    url = _url.parse(written)
    assert (url.scheme, url.host, url.port, url.target, url.header) == (scheme, host, port, target, header)
    assert url.target.isascii() and " " not in url.target


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "is not set"),
        ("   ", "is not set"),
        ("shop.example/a", "begin with http:// or https://"),
        ("/cart", "begin with http://"),
        ("ftp://shop.example/", "begin with http://"),
        ("http:///a", "name a host"),
        ("http://a:0/", "between 1 and 65535"),
        ("http://a:70000/", "between 1 and 65535"),
        ("http://a:b/", "port between 1 and 65535"),
        ("http://[::zz]/", "host"),
        ("http://a b/", "letters, digits"),
        ("http://a..b/", "letters, digits"),
        ("http://a/\r\nX: y", "control character"),
        ("http://a/\u202ex", "control character"),
        ("http://{{ 7*7 }}/", "letters, digits"),
        ("http://$(touch x)/", "letters, digits"),
        ("http://" + "\u00fc" * 300 + "/", "host"),
        ("http://a/" + "x" * 9000, "at most 8000"),
    ],
)
def test_a_url_that_is_none(written, says):
    with pytest.raises(_url.BadUrl, match="bad_gateway_url") as caught:
        _url.parse(written)
    assert says in str(caught.value)
    assert text.harmless(str(caught.value)) == str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_error_keeps_secrets():
    for written in ("ftp://me:hunter22@shop.example/?token=hunter22", "http://me:hunter22@shop..example/?token=hunter22"):
        with pytest.raises(_url.BadUrl) as caught:
            _url.parse(written)
        assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("http://me:hunter22@a/x?q=1", "http://a/x?q=1"),
        ("http://a/x?q=1&token=hunter22&z=2", "http://a/x?q=1&token=***&z=2"),
        ("http://a/x?api_key=h%75nter22", "http://a/x?api_key=***"),
        ("http://a/x?pin=12&page=12", "http://a/x?pin=***&page=12"),
        ("http://a/x?v=eyJhbGciOiJIUzI1NiJ9.e30.x", "http://a/x?v=***"),
        ("http://a/x?v=0123456789abcdef0123456789abcdef", "http://a/x?v=***"),
        ("http://a/x?empty_token=", "http://a/x?empty_token="),
    ],
)
def test_what_is_shown(written, shown):
    assert _url.parse(written).shown == shown


def test_a_secret_is_masked_in_whatever_form():
    url = _url.parse("http://a/x?password=h%C3%BCnter/22")
    said = {"one": ["/x?password=h%C3%BCnter/22", "hünter/22 was sent", 3, None], "h%C3%BCnter%2F22": True}
    assert url.masked(said) == {"one": ["/x?password=***", "*** was sent", 3, None], "***": True}
    assert _url.parse("http://a/x").masked(said) is said


def test_an_address():
    assert _url.parse("http://[::0001]/").address == "::1"
    assert _url.parse("http://10.0.0.5/").address == "10.0.0.5"
    assert _url.parse("http://a/").address == ""
