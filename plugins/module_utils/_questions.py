# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All passive questions, put in one visit. What one answer names, the next is asked about.

This module is private to the collection.
"""

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import access_log
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import apparmor
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backend_log
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backends
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import containers
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import error_log
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import host_facts
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import limits
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import listeners
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import names
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import network
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import paths
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import php_fpm
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import pressure
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import resolvers
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import selinux
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import servers
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import temp_paths

_NO_NGINX = "there is no nginx whose configuration could name any"


def ask_all(host, redactor, since, log_limit, test):
    """Return the answers by question. A host without nginx is asked only for its containers, in one of which an nginx may be down."""
    answers = {host_facts.KEY: evidence.ask(host_facts.ASKED, host_facts.collect, host)}
    scan = evidence.ask("/proc", _processes.scan, host)
    if scan["status"] != evidence.OK:
        return _unasked(answers, scan)
    processes = scan["value"]
    answers[containers.KEY] = evidence.ask(containers.ASKED, containers.collect, host, redactor, processes)
    containers.mark(processes, answers[containers.KEY]["value"])
    answers[nginx.KEY] = evidence.ask(nginx.ASKED, nginx.collect, host, redactor, processes, test)
    found = answers[nginx.KEY]["value"]
    if answers[nginx.KEY]["status"] == evidence.ABSENT:
        return answers
    sockets = set()
    if found:
        answers[names.KEY] = evidence.ask(names.ASKED, names.collect, found)
        answers[resolvers.KEY] = evidence.ask(resolvers.ASKED, resolvers.collect, host, found)
        answers[paths.KEY] = evidence.ask(paths.ASKED, paths.collect, host, found)
        answers[temp_paths.KEY] = evidence.ask(temp_paths.ASKED, temp_paths.collect, host, found)
        answers[apparmor.KEY] = evidence.ask(apparmor.ASKED, apparmor.collect, host, found, since)
        answers[limits.KEY] = evidence.ask(limits.ASKED, limits.collect, host, found)
        looked_up = answers[names.KEY]["value"] or {}
        answers[network.KEY] = evidence.ask(network.ASKED, network.collect, host, found, looked_up, processes.net, redactor)
        sockets = set().union(*(passes.sockets(instance) for instance in found["instances"]))
    else:
        for question in (names, resolvers, paths, temp_paths, apparmor, limits, network):
            answers[question.KEY] = evidence.no_answer(question.ASKED, answers[nginx.KEY]["status"], _NO_NGINX)
    masters = [instance["master"]["pid"] for instance in (found or {}).get("instances", ()) if instance["master"]]
    logs = [log for instance in (found or {}).get("instances", ()) for log in _logs(instance, "error_logs")]
    visits = [
        dict(log, text=instance["log_formats"].get(log["format"])) for instance in (found or {}).get("instances", ()) for log in _logs(instance, "access_logs")
    ]
    before = pressure.begin(host, processes, masters)
    inside = {one["pid"] for one in (answers[containers.KEY]["value"] or {}).get("containers", ()) if one["pid"]}
    answers[listeners.KEY] = evidence.ask(listeners.ASKED, listeners.collect, host, redactor, processes, masters, inside=inside)
    answers[error_log.KEY] = evidence.ask("error logs", error_log.collect, host, logs, since, sorted(sockets), redactor, log_limit)
    answers[access_log.KEY] = evidence.ask(access_log.ASKED, access_log.collect, host, visits, since, redactor)
    answers[php_fpm.KEY] = evidence.ask(php_fpm.ASKED, php_fpm.collect, host, processes)
    answers[backends.KEY] = evidence.ask(backends.ASKED, backends.collect, host, redactor, processes)
    known = [answers[key]["value"] for key in (nginx.KEY, listeners.KEY, php_fpm.KEY, backends.KEY, containers.KEY)]
    answers[backend_log.KEY] = evidence.ask(backend_log.ASKED, backend_log.collect, host, redactor, processes, since, *known)
    answers[servers.KEY] = evidence.ask(servers.ASKED, servers.collect, host, processes, _commands(answers[backends.KEY]))
    seen = [(answers.get(key) or {}).get("value") for key in (nginx.KEY, listeners.KEY, network.KEY)]
    answers[selinux.KEY] = evidence.ask(selinux.ASKED, selinux.collect, host, *seen, since=since)
    answers[pressure.KEY] = evidence.ask(pressure.ASKED, pressure.collect, host, before, pressure.end(host, processes, masters, before))
    return answers


def _commands(answer):
    """Return {unit: argv} of the systemd units."""
    units = ((answer["value"] or {}).get("units") or {}).get("value") or []
    return {unit["name"]: unit["command"] for unit in units if unit["command"]}


def _logs(instance, kind):
    """Return the logs of an nginx, each with what is known of the nginx that writes it."""
    master = instance["master"] or {}
    about = {
        "pid": master.get("pid"),
        "unit": master.get("unit") or (instance["unit"] or {}).get("name", ""),
        "container": master.get("container", ""),
        "root": "/proc/{0}/root".format(master["pid"]) if master.get("own_root") else "",
    }
    return [dict(log, **about) for log in instance[kind]]


def _unasked(answers, scan):
    every = (
        nginx.KEY, names.KEY, resolvers.KEY, paths.KEY, temp_paths.KEY, apparmor.KEY, limits.KEY, network.KEY, containers.KEY, listeners.KEY, error_log.KEY,
        access_log.KEY, php_fpm.KEY, backends.KEY, backend_log.KEY, servers.KEY, selinux.KEY, pressure.KEY,
    )
    for key in every:
        answers[key] = evidence.no_answer(scan["asked"], scan["status"], scan["why"])
    return answers
