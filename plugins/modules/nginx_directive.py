#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set, add or remove directives of nginx, and nothing else."""

DOCUMENTATION = r"""
module: nginx_directive
short_description: Set, add or remove directives of nginx, and nothing else
version_added: 0.3.0
description:
  - Changes directives of an nginx configuration in the block that is named, in whatever file they stand. Every other byte of the files
    stays, comments and indentation too.
  - All edits are made in memory. The whole configuration is then tested with C(nginx -t) at its real paths, in a private overlay of the
    file system. Only when nginx accepts it are the files replaced, all under one checkpoint that M(webops.bad_gateway.checkpoint) can undo.
  - nginx is not reloaded. Notify M(webops.bad_gateway.nginx_reload) for that.
  - What is not fully understood is refused, with what was asked and what was found.
  - A file of an nginx in a container is changed on the host, where it is mounted from, a volume of the engine too, and although the mount may be
    read-only in the container. One that is mounted by itself is written in place, as the container would not see another one. A file of the image is
    refused. The test runs the program of the container in the container's namespaces, with next to no rights.
  - A first V(proxy_set_header), V(fastcgi_param), V(add_header) or the like in a block drops all those of the outer blocks. These are copied
    before it.
options:
  path:
    description:
      - The main configuration file. The default is that of the nginx that runs, or of the one that is installed; of several, that which reads the
        files in the contexts of the edits.
    type: path
  binary:
    description:
      - The program that tests the configuration. The default is the one that runs, or the one that is installed.
    type: path
  edits:
    description:
      - What to change. All of it happens, or nothing.
    type: list
    elements: dict
    suboptions:
      context:
        description:
          - The block; see O(context).
        type: dict
        required: true
        suboptions: &context
          block:
            description:
              - Name of the block, such as V(http), V(events), V(stream), or V(main) for what is in no block. Together with names of a
                server or location it is a block directly inside it, such as V(if).
            type: str
          server_name:
            description:
              - One of the names of the server.
            type: str
          listen:
            description:
              - An address and port that the server listens on, such as V(443) or V(127.0.0.1:8080).
            type: str
          location:
            description:
              - The location, as it is written, such as V(/api/), V(= /x), V(~ \\.php$) or V(@name).
            type: str
          upstream:
            description:
              - Name of an upstream group.
            type: str
          container:
            description:
              - The id of the container whose nginx is meant. Its paths are those that it has in the container. Without it the nginx of the host is meant,
                where there is one. All edits of a task are for the same one.
            type: str
            version_added: 0.4.0
          file:
            description:
              - The file that the block is opened in.
            type: path
          line:
            description:
              - The line of O(context.file) in which the block's name stands. No other name goes with it. With an open
                O(checkpoint) that has changed the file, it is the line before that change.
              - Lines move with every edit. In a playbook of your own name the block by what it is.
            type: int
          expects:
            description:
              - The words that open the block, joined by one space. Anything else at that line is refused. Characters that a terminal acts on
                may be written as Python writes them, such as V(\\x1b).
            type: str
      directives:
        description:
          - What is wanted in the block; see O(directives).
        type: list
        elements: dict
        required: true
        suboptions: &directive
          name:
            description:
              - Name of the directive.
            type: str
            required: true
          args:
            description:
              - Its arguments, as nginx is to see them. Quotes and backslashes are added where they are needed. Quote V("on") and V("off"), which
                YAML else takes for booleans.
              - With O(directives[].state=absent), the first arguments of what is to go; none means whatever they are.
            type: list
            elements: str
            default: []
          state:
            description:
              - V(present) changes the directive where it stands in that very block, which may be in an included file; else it is added after
                the last of its name, or after the last directive of the block.
              - V(appended) adds it there unless the very same is there.
              - V(absent) removes it from that very block.
            type: str
            choices: [present, absent, appended]
            default: present
          replaces:
            description:
              - The exact arguments that must be there before. Anything else is refused, but for what is as wanted already.
            type: list
            elements: str
          key:
            description:
              - How many of the first arguments tell a directive from others of its name in the block. The default fits the directive; it is 1 for
                V(proxy_set_header), for V(server) of an upstream group and the like, and 0 for those that may stand only once.
            type: int
          at:
            description:
              - Where the directive itself stands, when there are several.
            type: dict
            suboptions:
              file:
                description:
                  - The file.
                type: path
                required: true
              line:
                description:
                  - The line of its name.
                type: int
                required: true
  context:
    description:
      - The block, when there is one edit only.
    type: dict
    suboptions: *context
  directives:
    description:
      - What is wanted in O(context).
    type: list
    elements: dict
    suboptions: *directive
  files:
    description:
      - Files that belong to the change, such as one for a C(map) or a group that an C(include) of O(edits) names. A block cannot be added to a file that
        is there.
      - Each is written where nothing is at its path, and may be edited by O(edits) like any other. One that is there already is not written again.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Its absolute path. The folder has to be there.
        type: path
        required: true
      content:
        description:
          - What it holds.
        type: str
        required: true
  checkpoint:
    description:
      - Id of the open checkpoint of M(webops.bad_gateway.checkpoint) under which the files are changed. Without one the module makes one of its
        own, which is confirmed at once, so that it can be undone later.
    type: str
  plain_test:
    description:
      - What to do where the private overlay cannot be made, as in a container without the right to mount. With V(true) the files are changed
        first and put back when C(nginx -t), run as it is, does not accept them. With V(false) nothing is changed there.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - The edited configuration is tested in check mode too. A name of an upstream that nginx does not find, with the change or without it, is told and
        no failure there - an earlier task may be meant to start what has it.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
    details:
      - What may be a secret is a mark in the difference, and comments are empty.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Written for Linux.
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.nginx_config_info
"""

EXAMPLES = r"""
- name: Give reports two minutes
  webops.bad_gateway.nginx_directive:
    context:
      server_name: shop.example
      location: /reports/
    directives:
      - name: proxy_read_timeout
        args: [120s]
  become: true

- name: Close idle connections to the backend properly, in one go
  webops.bad_gateway.nginx_directive:
    edits:
      - context:
          upstream: shop
        directives:
          - name: keepalive
            args: ["16"]
      - context:
          server_name: shop.example
          location: /
        directives:
          - name: proxy_http_version
            args: ["1.1"]
          - name: proxy_set_header
            args: [Connection, ""]
  become: true

- name: Send one server of a group elsewhere, if it is still where it was
  webops.bad_gateway.nginx_directive:
    context:
      upstream: shop
    directives:
      - name: server
        args: ["127.0.0.1:3001"]
        replaces: ["127.0.0.1:3000"]
  become: true
"""

RETURN = r"""
files:
  description: The real paths of the files that were changed, or would be; on the host, for those of a container.
  type: list
  elements: str
  returned: success
  sample: [/etc/nginx/sites-available/shop.conf]
notes:
  description: What else is changed by the edit, in sentences.
  type: list
  elements: str
  returned: success
  sample:
    - "/etc/nginx/proxy.conf is included in 2 places, which all get the change: /etc/nginx/sites-enabled/a:7; /etc/nginx/sites-enabled/b:9"
conf_path:
  description: The main configuration file.
  type: str
  returned: success
  sample: /etc/nginx/nginx.conf
checkpoint:
  description: Id of the checkpoint that the change can be undone by; empty when nothing was changed.
  type: str
  returned: success
  sample: 20261127T101500-1a2b
"""

import base64
import hashlib
import os
import re
import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _mount_sources as mount_sources
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as nginx_edit
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx

_PLACE = {"file": {"type": "path", "required": True}, "line": {"type": "int", "required": True}}
_CONTEXT = {
    "block": {"type": "str"},
    "server_name": {"type": "str"},
    "listen": {"type": "str"},
    "location": {"type": "str"},
    "upstream": {"type": "str"},
    "container": {"type": "str"},
    "file": {"type": "path"},
    "line": {"type": "int"},
    "expects": {"type": "str"},
}
_DIRECTIVE = {
    "name": {"type": "str", "required": True},
    "args": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": [nginx_edit.PRESENT, nginx_edit.ABSENT, nginx_edit.APPENDED], "default": nginx_edit.PRESENT},
    "replaces": {"type": "list", "elements": "str"},
    "key": {"type": "int", "no_log": False},
    "at": {"type": "dict", "options": _PLACE},
}
_DIRECTIVES = {"type": "list", "elements": "dict", "options": _DIRECTIVE}
_MISSING = re.compile(r'host not found in upstream "[^"]+"\Z')
ARGUMENTS = {
    "path": {"type": "path"},
    "binary": {"type": "path"},
    "edits": {
        "type": "list",
        "elements": "dict",
        "options": {"context": {"type": "dict", "required": True, "options": _CONTEXT}, "directives": dict(_DIRECTIVES, required=True)},
    },
    "context": {"type": "dict", "options": _CONTEXT},
    "directives": _DIRECTIVES,
    "files": {
        "type": "list", "elements": "dict", "default": [],
        "options": {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}},
    },
    "checkpoint": {"type": "str"},
    "plain_test": {"type": "bool", "default": False},
}


def container_of(edits):
    """Return the container that edits name, or "". Raises Refused where they name several."""
    named = set(edit["context"].get("container") or "" for edit in edits)
    if len(named) > 1:
        raise nginx_edit.Refused("the edits are for several nginx, which are changed one by one")
    return named.pop() if named else ""


def choose(instances, path, binary, others, files=(), container=""):
    """Return the one Instance that is meant. Raises Refused.

    others() gives those of the program and path that do not run. files are those that the edits name: of several nginx, that which reads them is meant.
    """
    if container:
        instances = [one for one in instances if one.master is not None and one.own_root and one.master.container == container]
        if not instances:
            raise nginx_edit.Refused("no nginx runs in container {0}".format(_shown(container)))
    found = [
        one for one in instances
        if (path is None or os.path.realpath(one.conf_path) == os.path.realpath(path))
        and (binary is None or os.path.realpath(one.program) == os.path.realpath(binary))
    ]
    # A container's nginx is meant where nothing else can be.
    found = [one for one in found if not one.own_root] or found
    found = [one for one in found if one.master is not None] or found
    if len(found) > 1 and all(one.master is not None and one.conf_path == found[0].conf_path and one.own_root == found[0].own_root for one in found):
        # While the program is upgraded two masters share a configuration.
        found = [max(_of_root(found), key=lambda one: one.master.started)]
    if not found and (path or binary):
        found = others()
    if not found:
        raise nginx_edit.Refused("no nginx was found{0}; name its main configuration file by `path` and its program by `binary`".format(
            "".join(" with {0} {1}".format(name, _shown(value)) for name, value in (("path", path), ("binary", binary)) if value)))
    if len(found) > 1 and files:
        found = [one for one in found if all(_reads(one, file) for file in files)] or found
    found = _of_root(found)
    if len(found) > 1:
        listed = "; ".join("{0} of {1}".format(_shown(one.conf_path), _shown(one.program)) for one in found)
        raise nginx_edit.Refused("there are several nginx: {0}; say which one by `path` or `binary`".format(listed))
    return found[0]


def _of_root(instances):
    """Return those of several nginx that root runs, or does not run: any user can run a program that looks like one."""
    return [one for one in instances if one.master is None or one.master.uid == 0] or instances


def _reads(instance, path):
    """Return whether a file is one of those that an Instance reads."""
    files = instance.loaded["files"] if instance.loaded else ()
    return any(path in (file["path"], file["real_path"]) for file in files)


def load(instance, checkpoint):
    """Return the nginx_edit.Configuration of an Instance. Raises Refused for what cannot be seen whole, and CheckpointError.

    checkpoint: id of the one under which files may have been changed since their lines were told, or None.
    """
    where = _shown(instance.conf_path)
    if instance.why is not None:
        raise nginx_edit.Refused("{0} could not be read: {1}".format(where, text.harmless(instance.why.why, 500)))
    raws, reals = {}, {}
    for file in instance.loaded["files"]:
        if file["status"] == evidence.ABSENT:
            continue
        if file["status"] != evidence.OK or file["truncated"]:
            why = file["why"] or "it is too large"
            raise nginx_edit.Refused("{0} could not be read whole: {1}".format(_shown(file["path"]), text.harmless(why, 500)))
        raws[file["path"]] = base64.b64decode(file["data"])
        reals[file["path"]] = file["real_path"]
        if instance.pid is not None and not instance.own_root and _sha256_here(file["real_path"]) != file["sha256"]:
            raise nginx_edit.Refused("{0} is not the same file where nginx runs; it is not edited from here".format(_shown(file["path"])))
    for include in instance.loaded["includes"]:
        if include["status"] not in (evidence.OK, evidence.ABSENT):
            raise nginx_edit.Refused("the files of `include {0}` could not be seen: {1}".format(_shown(include["pattern"]), text.harmless(include["why"], 500)))
    if instance.loaded["truncated"]:
        raise nginx_edit.Refused("{0} and what it includes are too much to be read whole".format(where))
    matches = dict((include["pattern"], include["matches"]) for include in instance.loaded["includes"])
    return nginx_edit.Configuration(instance.conf_path, raws, reals, matches, _originals(instance, checkpoint, reals.values()))


def _originals(instance, checkpoint, paths):
    """Return {path: bytes} of the files that were changed under an open checkpoint, as they were before."""
    if checkpoint is None:
        return {}
    point = _checkpoint.find(checkpoint, _checkpoint.ROOT)
    point.require_open()
    saved = {}
    for path in paths:
        source = instance.source(path)
        saved[path] = point.saved_bytes(path if source is None else source.path)
    return dict((path, raw) for path, raw in saved.items() if raw is not None)


def here(instance, path):
    """Return (path on this host, whether it is written in place) of a path where nginx is. Raises Refused for what is changed elsewhere."""
    source = instance.source(path)
    if source is None:
        return path, False
    if source.kind == mount_sources.IMAGE:
        raise nginx_edit.Refused("{0} cannot be changed here: {1} {2}. The image must change, or the file be mounted into the container".format(
            _shown(path), source.why, _shown(instance.master.container[:12])))
    if source.kind != mount_sources.HOST:
        raise nginx_edit.Refused("{0} of container {1} cannot be changed here: {2}".format(_shown(path), _shown(instance.master.container[:12]), source.why))
    return source.path, source.single


def add(configuration, files, instance):
    """Take in the files that come with a change. Raises Refused."""
    for file in files:
        path = file["path"]
        if not os.path.isabs(path) or os.path.normpath(path) != path:
            raise nginx_edit.Refused("{0}: a file needs an absolute path without . and ..".format(_shown(path)))
        place = here(instance, path)[0]
        new = not os.path.lexists(place)
        if new and not os.path.isdir(os.path.dirname(place)):
            raise nginx_edit.Refused("{0}: its folder is not there; make it first".format(_shown(path)))
        content = nginx_edit.encode([file["content"]])[0]
        if not new and path not in configuration.reals and _sha256_here(place) != hashlib.sha256(content).hexdigest():
            raise nginx_edit.Refused("{0} is there, with other content and no include that leads to it; look at it and take it away".format(_shown(path)))
        configuration.add_file(path, content, new)


def _sha256_here(path):
    try:
        # Regular files alone: a pipe that somebody puts there must not hold the run.
        held, cut = _host.Host().read(path, _safe_files.MAX_FILE)
    except (evidence.Unanswered, OSError):
        return ""
    return "" if cut else hashlib.sha256(held).hexdigest()


def apply(configuration, edits):
    """Make every edit in memory. Raises Refused."""
    for edit in edits:
        context = nginx_edit.Context(**dict((key, value) for key, value in edit["context"].items() if key != "container"))
        for said in edit["directives"]:
            replaces, at = said["replaces"], said["at"]
            configuration.apply(context, nginx_edit.Directive(
                said["name"], nginx_edit.encode(said["args"]), said["state"], None if replaces is None else nginx_edit.encode(replaces), said["key"],
                nginx_edit.Place(at["file"], at["line"]) if at else None,
            ))


def placed(instance, configuration, changed):
    """Return {path where nginx is: as here() has it} of the changed files. Raises Refused."""
    places = {}
    for path in sorted(changed):
        places[path] = here(instance, path)
        before = configuration.files[path].before
        if instance.own_root and before is not None and _sha256_here(places[path][0]) != hashlib.sha256(before).hexdigest():
            raise nginx_edit.Refused("{0} is not the file that container {1} has as {2} any more".format(
                _shown(places[path][0]), _shown(instance.master.container[:12]), _shown(path)))
    return places


def reach(paths):
    """Raise Refused for a file that would not be written, so that check mode tells it too."""
    for path in sorted(paths):
        try:
            with _safe_files.find(path):
                continue
        except _safe_files.Refused as refused:
            raise nginx_edit.Refused(str(refused))
        except OSError as error:
            raise nginx_edit.Refused("{0}: {1}".format(_shown(path), os.strerror(error.errno)))


def mounted(instance, places):
    """Return sentences about files of a container: where each is on the host, and that it belongs to a checkout there."""
    said = []
    for path, (place, _in_place) in sorted(places.items()) if instance.own_root else ():
        said.append("{0} of container {1} is {2} here".format(_shown(path), _shown(instance.master.container[:12]), _shown(place)))
        folder = os.path.dirname(place)
        while folder != "/" and not os.path.lexists(folder + "/.git"):
            folder = os.path.dirname(folder)
        if os.path.lexists(folder + "/.git"):
            said.append("{0} is a checkout of git: make the change there too, or the next one undoes it".format(_shown(folder)))
    return list(dict.fromkeys(said))


def check(instance, changed, plain=False, only_told=False):
    """Raise Refused unless nginx takes the configuration with the changed files ({real path: bytes}) in place, or on disk already for plain.

    Return what it newly warns of. only_told: that it does not find a name is told alone, where it does not find it without the change either.
    """
    said = instance.test(changed, plain)
    before = instance.test() if said["messages"] and not plain else {"valid": True, "messages": []}
    if not said["valid"]:
        missing = [_MISSING.match(message["text"]) for message in _worst(said)]
        if only_told and all(missing) and _same(_worst(said), _worst(before)):
            return ["the changed configuration could not be tested further: {0}, as without the change; what has that name has to be there first".format(
                _said(said))]
        also = "" if before["valid"] else " Without the change it does not either: {0}.".format(_said(before))
        raise nginx_edit.Refused("nginx -t does not accept the changed configuration: {0}.{1} Nothing was changed".format(_said(said), also))
    old = [message["text"] for message in before["messages"]]
    return ["nginx warns of the changed configuration: {0}".format(_one(message)) for message in said["messages"] if message["text"] not in old]


def _worst(tested):
    return [message for message in tested["messages"] if message["level"] in ("emerg", "alert", "crit")] or tested["messages"]


def _same(some, others):
    """Return whether nginx says the same, of whatever lines, at least something."""
    return bool(some) and [message["text"] for message in some] == [message["text"] for message in others]


def _said(tested):
    return text.harmless("; ".join(map(_one, _worst(tested)[:3])) or "it does not say why", 1500)


def _one(message):
    return message["text"] + (" in {0}:{1}".format(message["file"], message["line"]) if message["file"] else "")


def differences(instance, configuration, changed, places):
    """Return the diff of Ansible, without secrets."""
    shown = []
    for real, raw in sorted(changed.items()):
        kind = nginx.redact.DIRECTIVES
        for path, other in configuration.reals.items():
            if other == real:
                kind = kind.stricter(instance.main.inside(path, instance.redaction.needed))
        before, after = [
            "\n".join(map(_line, instance.redaction.file(one, nginx_text.read(one), kind).split(b"\n")))
            for one in (configuration.files[real].before or b"", raw)
        ]
        header = _shown(places[real][0])
        shown.append({"before_header": header, "after_header": header, "before": before, "after": after})
    return shown


def _line(raw):
    """Return a line as it may be shown; the end of a line that is two characters counts as one."""
    raw = raw[:-1] if raw.endswith(b"\r") else raw
    return "\t".join(text.harmless(part) for part in text.decode(raw).split("\t"))


def write(instance, configuration, changed, places, checkpoint, plain):
    """Replace the files, all or none, and return the _checkpoint.Checkpoint. Raises Refused, Unanswered, CheckpointError.

    plain: test the configuration after that, and put the files back unless nginx takes it.
    """
    before = dict((real, configuration.files[real].before) for real in changed)
    written = []
    with _checkpoint.attach(checkpoint, "nginx_directive", _checkpoint.ROOT) as point:
        if instance.master is not None:
            # It may load what is written at any time, as by logrotate's or certbot's reload; undoing lets it load what was there.
            point.record_master(instance.master.pid)
        try:
            # New ones first: an include may name them.
            for real, raw in sorted(changed.items(), key=lambda item: (before[item[0]] is not None, item[0])):
                path, in_place = places[real]
                expected = "" if before[real] is None else hashlib.sha256(before[real]).hexdigest()
                point.write_file(path, raw, expected, in_place=in_place, links=not instance.own_root)
                written.append(real)
            if plain:
                check(instance, changed, True)
        except BaseException:
            # One of our own is undone as a whole; in another's, what was changed before us stays.
            for real in reversed(written if checkpoint is not None else ()):
                path, in_place = places[real]
                if before[real] is not None:
                    expected = hashlib.sha256(changed[real]).hexdigest()
                    point.write_file(path, before[real], expected, in_place=in_place, links=not instance.own_root)
                elif _sha256_here(path) == hashlib.sha256(changed[real]).hexdigest():
                    os.unlink(path)
            raise
    return point


def run(params, check_mode):
    """Return the result of the module. Raises Refused, Unanswered, CheckpointError."""
    host = _host.Host()
    place = (host, text.Redactor(secrets.token_hex(16)), _processes.scan(host))
    path, binary, checkpoint = params["path"], params["binary"], params["checkpoint"] or None
    edits = params["edits"] or [{"context": params["context"], "directives": params["directives"]}]
    named = [edit["context"]["file"] for edit in edits if edit["context"].get("file")]
    instance = choose(nginx.find(*place), path, binary, lambda: nginx.of(*(place + (binary, path))), named, container_of(edits))
    configuration = load(instance, checkpoint)
    add(configuration, params["files"], instance)
    apply(configuration, edits)
    changed = configuration.changed()
    places = placed(instance, configuration, changed)
    result = {
        "changed": bool(changed), "files": [_shown(places[real][0]) for real in sorted(changed)], "notes": configuration.notes, "checkpoint": "",
        "conf_path": _shown(instance.conf_path), "diff": differences(instance, configuration, changed, places),
    }
    if not changed:
        return result
    reach(path for path, _in_place in places.values())
    result["notes"] += mounted(instance, places)
    plain = False
    try:
        result["notes"] += check(instance, changed, only_told=check_mode)
    except evidence.Unanswered as unanswered:
        if not params["plain_test"]:
            raise
        plain = True
        result["notes"].append("the private overlay cannot be made ({0}), so the files are tested where they are".format(text.harmless(unanswered.why, 300)))
    if not check_mode:
        point = write(instance, configuration, changed, places, checkpoint, plain)
        result["checkpoint"] = point.id
        result["notes"] += [text.harmless(note, 1000) for note in point.notes]
    return result


def _shown(path):
    return text.harmless(text.decode(os.fsencode(path)), 4096)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("edits", "context")],
        mutually_exclusive=[("edits", "context"), ("edits", "directives")],
        required_together=[("context", "directives")],
    )
    try:
        result = run(module.params, module.check_mode)
    except nginx_edit.Refused as refused:
        module.fail_json(msg=text.harmless(str(refused), 4000))
    except _checkpoint.CheckpointError as error:
        module.fail_json(msg=text.harmless(str(error), 4000))
    except evidence.Unanswered as unanswered:
        module.fail_json(msg=text.harmless("the change could not be tested, and was not made: {0}".format(unanswered.why), 4000))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
