# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and end date of certificates that openssl made, and silence on bytes that are none."""

import ssl
import subprocess

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _certificate as certificate


def made(tmp_path, *options):
    """Return the DER bytes of a new certificate."""
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *files, *options]
    subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return ssl.PEM_cert_to_DER_cert((tmp_path / "certificate.pem").read_text())


def end_date(tmp_path):
    """Return what openssl says of the end date, in seconds."""
    path = str(tmp_path / "certificate.pem")
    out = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-enddate"], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    ).stdout
    return ssl.cert_time_to_seconds(out.strip().partition("=")[2])


@pytest.mark.parametrize("days", ["1", "20000"])
def test_names_and_date(tmp_path, days):
    names = "subjectAltName=DNS:shop.example,DNS:*.shop.example,IP:10.0.0.5,IP:::1,email:a@b.example"
    der = made(tmp_path, "-days", days, "-subj", "/O=Shop/CN=ignored", "-addext", names)
    assert certificate.describe(der) == (["shop.example", "*.shop.example", "10.0.0.5", "::1"], end_date(tmp_path))


def test_common_name_without_alternatives(tmp_path):
    der = made(tmp_path, "-days", "1", "-subj", "/O=Shop/CN=old.example")
    assert certificate.describe(der)[0] == ["old.example"]


def test_hostile_name_is_harmless(tmp_path):
    der = made(tmp_path, "-days", "1", "-subj", "/CN=a\x1b]0;x\x07<b>")
    assert certificate.describe(der)[0] == ["a\\x1b]0;x\\x07<b>"]


def test_bytes_that_are_no_certificate(tmp_path):
    der = made(tmp_path, "-days", "1", "-subj", "/CN=x")
    for raw in (b"", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x00", b"HTTP/1.1 400 Bad Request", b"\x30" * 1000):
        assert certificate.describe(raw) == ([], None)
    for length in range(len(der)):
        assert certificate.describe(der[:length]) == ([], None)
    for at in range(len(der)):
        names, not_after = certificate.describe(der[:at] + b"\xff" + der[at + 1 :])
        assert isinstance(names, list)
        assert not_after is None or isinstance(not_after, float)
