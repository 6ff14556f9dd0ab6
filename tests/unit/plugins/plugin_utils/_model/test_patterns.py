# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions: the same as PCRE or not answered, and never slow."""

from __future__ import annotations

import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import patterns


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        (r"\.php$", b"/a.php", True),
        (r"\.php$", b"/a.PHP", False),
        (r"^/api/(.*)$", b"/api/x", True),
        (r"^/(?<n>\d+)/x{2}$", b"/12/xx", True),
        (r"^/[^]a]", b"/b", True),
        ("/x{", b"/x{", True),
        (r"\\Q", b"\\Q", True),
        ("\u00e9", "/\u00e9".encode(), True),
        (r"\xff", b"\xff", True),
    ],
)
def test_what_is_understood(pattern, subject, expected):
    assert bool(patterns.search(pattern, subject)) is expected


def test_caseless():
    assert patterns.search(r"\.php$", b"/A.PHP", caseless=True)
    assert patterns.search(r"(?i)\.php$", b"/A.PHP")


@pytest.mark.parametrize(
    "pattern",
    [r"\Qa\E", r"a\K", r"\R", r"\h", r"\p{L}", r"[[:alpha:]]", "a++", "a{,3}", "(?>a)", "(?|a)", "(?R)"]
    + [r"(a)\1", "(*UTF8)a", "a)", "[", "(", "a\\", "x" * 600, "(a+)+$", "(a|a)*b", "(?:a?){30}"],
)
def test_what_pcre_may_read_differently_or_slowly_is_not_answered(pattern):
    with pytest.raises(patterns.Unmatchable):
        patterns.search(pattern, b"a")


def test_matching_takes_no_time_whatever_the_pattern():
    started = time.process_time()
    for pattern in ("(a+)+$", ".*.*.*.*.*.*x", "a*" * 100 + "b", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$", "(" * 200):
        with pytest.raises(patterns.Unmatchable):
            patterns.search(pattern, b"a" * 400)
    patterns.search("^/(.*)/(.*)\\.php$", b"/" * 400)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [(r"\.php$", "/index.php"), (r"^/api/", "/api/"), (r"^/api/(.*)$", "/api/"), (r"^/(app|web)/", "/app/"), (r"\.php(/|$)", "/index.php/")]
    + [(r"^/$", "/"), (r"^/\d{4}$", None), ("(a+)+", None)],
)
def test_samples(pattern, expected):
    assert patterns.sample(pattern) == expected
