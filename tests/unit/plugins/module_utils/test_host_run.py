# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are run on a host: what is held of what they print, and how those are ended that do not end."""

import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host


def test_both_pipes_are_read_and_the_first_bytes_are_held():
    done = Host().run(["/bin/sh", "-c", "yes | head -c 1000000; yes no | head -c 1000000 >&2; exit 3"], limit=5)
    assert (done.rc, done.out, done.err, done.truncated) == (3, b"y\ny\ny", b"no\nno", True)
    done = Host().run(["/bin/sh", "-c", "printf out; printf err >&2"])
    assert (done.rc, done.out, done.err, done.truncated) == (0, b"out", b"err", False)


@pytest.mark.parametrize("words", ["exec yes", "exec sleep 60", "setsid sleep 4 & exit 0"])
def test_a_program_that_does_not_end_is_ended(words):
    begun = time.monotonic()
    with pytest.raises(evidence.Unanswered) as unanswered:
        Host().run(["/bin/sh", "-c", words], timeout=1, limit=5)
    assert unanswered.value.status == evidence.TIMEOUT and time.monotonic() - begun < 3
