# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host names of the configuration resolve to, asked as nginx asks at start and reload.

nginx calls getaddrinfo(3) for a stream socket with AI_ADDRCONFIG (ngx_inet_resolve_host() in its
core/ngx_inet.c). It is called here in nginx's own network and mount namespaces, for all names at once,
and never waited for longer than SECONDS.

This module is private to the collection.
"""

import socket
import threading
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "names"
ASKED = "getaddrinfo in the namespaces of nginx"

MAX_NAMES = 256
MAX_ADDRESSES = 64
THREADS = 16
SECONDS = 6.0


def collect(nginx, seconds=SECONDS):
    """Return the `names` value of docs/architecture.md as a Partial. nginx is the value of that answer.

    A name that several instances use is answered as the first of them sees it, and as others do that are
    elsewhere in "elsewhere": in another container the same name is often another host.
    """
    answers, hidden, truncated = {}, [], False
    deadline, room = time.monotonic() + seconds, MAX_NAMES
    seen = {}
    for instance in nginx["instances"]:
        names, place = passes.names(instance) | {"localhost"}, _place(instance)
        wanted = sorted(names - set(seen.setdefault(place, {})))
        truncated = truncated or len(wanted) > room
        wanted = wanted[:room]
        if wanted:
            room -= len(wanted)
            seen[place].update(_ask(instance, wanted, max(0.5, deadline - time.monotonic()), hidden))
        for name in names & set(seen[place]):
            said = seen[place][name]
            first = answers.setdefault(name, dict(said))
            if said["status"] != first["status"] or sorted(said["addresses"]) != sorted(first["addresses"]):
                first.setdefault("elsewhere", {})[instance["id"]] = said
    return evidence.Partial(answers, truncated, hidden)


def _place(instance):
    """Return what decides how names are resolved for an instance."""
    master = instance["master"]
    return (master.get("net"), master.get("mnt")) if master else None


def _ask(instance, wanted, seconds, hidden):
    """Return the answers for one instance; where its namespaces may not be entered, those of our own."""
    pid = instance["master"]["pid"] if instance["master"] else None
    try:
        return _inside.call(resolve, (wanted, seconds), pid=pid, timeout=seconds + 2)
    except evidence.Unanswered as error:
        failure = error
    if pid is not None and failure.status == evidence.DENIED:
        hidden.append("{0}: names were resolved in our own namespaces ({1})".format(instance["id"], failure.why))
        return _ask(dict(instance, master=None), wanted, seconds, hidden)
    hidden.append("{0}: {1}".format(instance["id"], failure.why))
    return {name: _answer(failure.status, why=failure.why) for name in wanted}


def resolve(names, seconds):
    """Return {name: answer}; a name without an answer in time is a timeout."""
    answers, waiting = {}, list(reversed(names))
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=_work, args=(waiting, answers), daemon=True) for _number in range(min(THREADS, len(names)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    done = dict(answers)
    why = "the name service gave no answer in {0:.0f} s".format(seconds)
    return {name: done.get(name) or _answer(evidence.TIMEOUT, why=why) for name in names}


def _work(waiting, answers):
    while True:
        try:
            name = waiting.pop()
        except IndexError:
            return
        answers[name] = _resolve(name)


def _resolve(name):
    try:
        found = socket.getaddrinfo(name, None, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    except socket.gaierror as error:
        none = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        return _answer(evidence.ABSENT if none else evidence.ERROR, why=text.harmless(str(error.strerror), 200))
    except (OSError, UnicodeError) as error:
        return _answer(evidence.ERROR, why=text.harmless(str(error), 200))
    addresses = []
    for _family, _type, _protocol, _canonical, where in found:
        if where[0] not in addresses:
            addresses.append(where[0])
    return _answer(evidence.OK, addresses[:MAX_ADDRESSES])


def _answer(status, addresses=(), why=""):
    return {"status": status, "addresses": list(addresses), "why": why}
