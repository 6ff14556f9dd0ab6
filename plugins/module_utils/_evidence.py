# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence contract: how a host answers a question, and how it says that it could not.

Both sides import this file. An answer is a plain dictionary, so that it survives JSON:

    status     one of STATUSES
    asked      what was asked, as a person would look it up: "/proc/net/tcp", "systemctl show"
    value      what came back; None unless status is "ok"
    why        why there is no value, or ""
    truncated  True when a bound cut the answer short: absence proves nothing then
    hidden     sentences about what this answer could not see (asked without root, for example)

An empty value therefore always means "asked, and there is none", never "could not ask".

This module is private to the collection.
"""

OK = "ok"
ABSENT = "absent"
DENIED = "denied"
TIMEOUT = "timeout"
ERROR = "error"
STATUSES = (OK, ABSENT, DENIED, TIMEOUT, ERROR)

SCHEMA = 1


class Unanswered(Exception):
    """A question that the host did not answer.

    status is one of STATUSES but "ok"; why is one sentence for a person.
    """

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status
        self.why = why


def unanswered_by(error, subject=""):
    """Return the Unanswered that an OSError stands for."""
    if isinstance(error, FileNotFoundError):
        status = ABSENT
    elif isinstance(error, PermissionError):
        status = DENIED
    else:
        status = ERROR
    why = error.strerror or type(error).__name__
    return Unanswered(status, "{0}: {1}".format(subject, why) if subject else why)


def answer(asked, value, truncated=False, hidden=()):
    """Return an answer that has a value."""
    return {
        "status": OK,
        "asked": asked,
        "value": value,
        "why": "",
        "truncated": truncated,
        "hidden": list(hidden),
    }


def no_answer(asked, status, why):
    """Return an answer that says why there is no value."""
    return {
        "status": status,
        "asked": asked,
        "value": None,
        "why": why,
        "truncated": False,
        "hidden": [],
    }


def ask(asked, question, *args, **kwargs):
    """Put one question and return its answer, whatever happens to it.

    question returns the value, or (value, truncated, hidden), and raises Unanswered or OSError when
    it cannot. Anything else that it raises is a defect of ours: it becomes an "error" answer too, so
    that one broken question never hides the others.
    """
    try:
        result = question(*args, **kwargs)
    except Unanswered as error:
        return no_answer(asked, error.status, error.why)
    except OSError as error:
        failure = unanswered_by(error, error.filename or "")
        return no_answer(asked, failure.status, failure.why)
    except Exception as error:  # pylint: disable=broad-except
        return no_answer(asked, ERROR, "{0}: {1}".format(type(error).__name__, error))
    if isinstance(result, Partial):
        return answer(asked, result.value, result.truncated, result.hidden)
    return answer(asked, result)


class Partial:
    """A value together with what is missing from it."""

    def __init__(self, value, truncated=False, hidden=()):
        self.value = value
        self.truncated = truncated
        self.hidden = tuple(hidden)
