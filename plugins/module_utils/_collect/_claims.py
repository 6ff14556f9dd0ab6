# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a program says that it will listen: in its command line, its environment, its own files.

A claim is {"endpoint": "127.0.0.1:3000" | "*:3000" | "unix:/run/x.sock", "from": where it is written}. Claims
are read, never evaluated: what a program computes is not seen, and what it does not use may be. They
say where to look for an endpoint whose program is gone; a listening socket is always worth more.

Only endpoints come out of a file, never its text.

This module is private to the collection.
"""

import json
import os
import re
import shlex

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_FILE = 256 << 10
MAX_LINE = 2000
MAX_CLAIMS = 30
MAX_FILES = 8

# An option whose value is a whole endpoint.
_ENDPOINT_OPTIONS = frozenset((
    "--bind", "-b", "--listen", "-l", "-listen", "--socket", "-s", "--http-socket", "--http", "--uwsgi-socket", "--fastcgi-socket", "--scgi-socket",
    "--unix-socket", "--uds", "--urls", "--addr", "-addr", "--address", "-a", "--listen-address", "--listen-addr", "-S", "--web.listen-address",
    "--http-listen", "--bind-address", "-u", "--unix", "-o",
))
_PORT_OPTIONS = frozenset(("--port", "-p", "-P", "-port", "--http-port", "--http.port", "--server.port", "-Dserver.port", "-Dhttp.port", "--listen-port"))
_HOST_OPTIONS = frozenset(("--host", "-H", "-h", "--hostname", "--bind", "-b", "--address", "-a", "--ip", "--server.address", "-Dserver.address", "--addr"))
_FILE_OPTIONS = frozenset(("--config", "-c", "-C", "--ini", "--yaml", "--yml", "--json", "--emperor"))
_FILE_SUFFIXES = (".py", ".js", ".mjs", ".cjs", ".ts", ".ini", ".yml", ".yaml", ".toml", ".rb", ".ru", ".conf", ".json", ".sh")
# Where administrators put scripts whose names have no suffix.
_SCRIPT_FOLDERS = ("/usr/local/bin/", "/usr/local/sbin/", "/opt/", "/srv/", "/root/", "/home/")
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "ash"))
_CONTAINERS = frozenset(("docker", "podman", "nerdctl"))
_TUNNELS = frozenset(("ssh", "autossh"))
# Programs whose -p, -h and the like name the other end, or something else.
_CLIENTS = _SHELLS | _CONTAINERS | _TUNNELS | frozenset(("nginx", "scp", "rsync", "curl", "wget", "mysql", "psql", "mount", "mkdir", "php-fpm"))

_PORT_NAME = r"(?:(?:APP|HTTP|HTTPS|SERVER|WEB|NODE|LISTEN|BIND|SERVICE|API|BACKEND|UVICORN|FLASK_RUN|PUMA|RAILS|NUXT|NITRO|ASPNETCORE_HTTP)_)?PORTS?"
_ENVIRONMENT_PORT = re.compile("^" + _PORT_NAME + "$")
_ENVIRONMENT_ENDPOINT = re.compile(
    r"^(?:(?:APP|HTTP|SERVER|WEB|NODE|API|BACKEND)_)?(?:LISTEN|BIND|(?:LISTEN|BIND)_ADDR(?:ESS)?|SOCKET|SOCKET_PATH|UDS|URLS)$"
    r"|^ASPNETCORE_URLS$|^(?:NITRO_)?UNIX_SOCKET$"
)
_ENVIRONMENT_HOST = re.compile(r"^(?:(?:APP|HTTP|SERVER|WEB|NODE|API|UVICORN|FLASK_RUN|NUXT|NITRO)_)?HOST$")

_TCP = re.compile(r"^(?P<address>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.*+-]*)(?::(?P<port>\d{1,5}))$")
_PORT = re.compile(r"[0-9]{1,9}\Z")
_SCHEME = re.compile(r"^(?:tcp|http|https|ssl|fcgi|uwsgi)://", re.IGNORECASE)
_IP = re.compile(r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?|localhost|\*)$")
_ANY = ("", "*", "+", "0.0.0.0", "[::]", "::")

# Ports and sockets that programs connect to far more often than they listen there.
_CLIENT_PORTS = frozenset((
    22, 25, 53, 143, 389, 465, 587, 636, 993, 1433, 1521, 2181, 3306, 4222, 5432, 5672, 6379, 6380, 9042, 9092, 9200, 9300, 11211, 26379, 27017,
))
_CLIENT_SOCKET = re.compile(r"mysql|mariadb|postgres|\.s\.PGSQL|redis|docker|containerd|memcache|dbus|supervisor|systemd|syslog|journal|pm2/(?:rpc|pub)")
_CLIENT_NAME = re.compile(
    r"(?i)(?:db|database|mysql|maria|pg|postgres|sql|redis|mongo|smtp|mail|imap|ldap|amqp|rabbit|kafka|elastic|memcache|cache|proxy|remote|"
    r"upstream|debug|metrics|target|peer|stats)$"
)

_HINT = re.compile(r"(?i)port|listen|sock|bind|http|addr|urls|uds|-[bp][ =]")
_COMMENT = re.compile(r"^\s*(?:#|//|;|\*|/\*)")
_LISTEN_CALL = re.compile(r"\.listen\s*\(\s*(?:[^,()]{0,80}(?:\|\||\?\?)\s*)?[\"']?(?P<port>\d{2,5})[\"']?\s*(?:,\s*[\"'](?P<address>[^\"']{1,64})[\"'])?")
_ASSIGNED_PORT = re.compile(
    r"(?<![\w.-])(?P<name>(?:[\w.-]*?(?:[_.-]|(?=P)))?)(?:port|Port|PORT)[\"'\]]?\s*(?:[:=]|\|\||\?\?|\s(?=\d))\s*"
    r"(?:[^#;\n]{0,80}?(?:\|\||\?\?)\s*)?(?:Number|parseInt|int)?\(?[\"']?(?P<port>\d{2,5})\b(?![.\w])"
)
_DEFAULT_PORT = re.compile(r"[\"']PORT[\"']\s*(?:,|\)\s*\{|\]?\s*(?:or|\|\|))\s*[\"']?(?P<port>\d{2,5})\b")
_ASSIGNED_ENDPOINT = re.compile(
    r"(?i)(?:^|[\s{,(])(?:bind|listen|socket|http|http-socket|uwsgi-socket|fastcgi-socket|address|addr|uds|urls)"
    r"[\"']?\s*(?:[:=(]|\s(?=[\"']))\s*\[?\s*f?[\"']?(?P<endpoint>[^\"'\s,;\])#]+)"
)
_SOCKET_PATH = re.compile(r"(?<![\w.$}/-])(?:unix:/{0,2}(?=/))?(?P<path>/[\w.@+/-]{1,100}\.sock)\b")
# stunnel(8): the near end of a service.
_ACCEPT = re.compile(r"^\s*accept\s*=\s*(?P<endpoint>\S+)")
# A line of a script that opens a tunnel.
_FORWARDS = re.compile(r"\b(?:auto)?ssh\s.*\s-[A-Za-z]*L|\bkubectl\s.*port-forward")
_SHELL_OPTION = re.compile(r"(?:^|\s)(?:--bind|--port|--listen|--http-socket|--socket|-b|-p)[ =](?P<endpoint>[^\s\"';&|]+)")


class Claims:
    """Collects the claims of one program: no doubles, bounded. items is the list of the contract."""

    def __init__(self):
        self.items = []

    def add(self, endpoint, source, tunnel=""):
        """Add an endpoint ("" is none) with the place where it is written; tunnel names the program whose near end it is."""
        claim = {"endpoint": text.harmless(endpoint, 256), "from": text.harmless(source, 300)}
        if tunnel:
            claim["tunnel"] = tunnel
        if endpoint and claim not in self.items and len(self.items) < MAX_CLAIMS:
            self.items.append(claim)


def endpoint_of(written, folder=""):
    """Return an endpoint in the form of the contract; "" when the text is none.

    Understood: 3000, :3000, 0.0.0.0:3000, [::1]:3000, localhost:3000, tcp://..., http://+:3000/,
    unix:/run/x.sock, unix:x.sock (relative to folder), /run/x.sock. A name other than localhost is
    not resolved: its port counts.
    """
    written = written.strip().strip("\"'")
    if "$" in written or "%" in written or len(written) > 256:
        return ""
    if written.startswith("unix:"):
        return _socket_path(written[5:], folder)
    if written.startswith("/") or written.endswith((".sock", ".socket")) and "://" not in written:
        return _socket_path(written, folder)
    if written.isdigit():
        return _tcp("", written)
    if _SCHEME.match(written):
        written = re.split(r"[/?]", _SCHEME.sub("", written), maxsplit=1)[0]
    match = _TCP.match(written)
    return _tcp(match.group("address"), match.group("port")) if match else ""


def _socket_path(path, folder):
    path = path.partition("?")[0]
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    if path and not path.startswith("/") and folder.startswith("/"):
        path = folder + "/" + path
    return "unix:" + os.path.normpath(path) if path.startswith("/") and len(path) > 1 else ""


def _tcp(address, port):
    # str.isdigit() is true of more than int() takes.
    number = int(port) if _PORT.match(port) else 0
    if not 0 < number < 65536:
        return ""
    if address == "localhost":
        address = "127.0.0.1"
    if address in _ANY or not _IP.match(address):
        address = "*"
    if ":" in address and not address.startswith("["):
        address = "[" + address + "]"
    return "{0}:{1}".format(address, number)


def from_environment(claims, variables, source, folder=""):
    """Add what environment variables claim. variables is {name: value}; only names of our list count."""
    host = next((value for name, value in sorted(variables.items()) if _ENVIRONMENT_HOST.match(name) and _IP.match(value)), "")
    for name, value in sorted(variables.items()):
        if _ENVIRONMENT_PORT.match(name):
            for port in re.split(r"[;,]", value):
                if port.strip().isdigit():
                    claims.add(_tcp(host, port.strip()), source)
        elif _ENVIRONMENT_ENDPOINT.match(name):
            for part in re.split(r"[;,]", value):
                claims.add(endpoint_of(part, folder), source)
        elif name == "GUNICORN_CMD_ARGS":
            from_argv(claims, ["gunicorn"] + split(value), source, folder)


def is_environment_name(name):
    """Return whether a variable can hold a claim; the values of others are never looked at."""
    return bool(_ENVIRONMENT_PORT.match(name) or _ENVIRONMENT_ENDPOINT.match(name) or _ENVIRONMENT_HOST.match(name) or name == "GUNICORN_CMD_ARGS")


def split(line):
    """Split a command line as a shell would; at white space where its quotes do not match."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def from_argv(claims, argv, source, folder=""):
    """Add what a command line claims."""
    argv = _bare(argv)
    program = _program(argv)
    if program in _SHELLS:
        for inner in _shell_commands(argv):
            from_argv(claims, inner, source, folder)
        return
    options = list(_options(argv))
    if program in _TUNNELS:
        _add_tunnel(claims, options, source, program)
    elif program in _CONTAINERS:
        _add_published(claims, options, source)
    elif program == "socat":
        _add_socat(claims, argv, source)
    elif program == "kubectl":
        _add_forward(claims, argv, options, source)
    elif program not in _CLIENTS:
        _add_server(claims, argv, options, source, folder)


def _bare(argv):
    """Take off the programs that only start another one: env A=b, nice, exec, ..."""
    argv = list(argv)
    while argv and (argv[0].rsplit("/", 1)[-1] in ("env", "exec", "nohup", "nice", "authbind", "dumb-init", "tini") or re.match(r"^[A-Za-z_]\w*=", argv[0])):
        argv.pop(0)
        while argv and (argv[0] in ("--", "--deep") or argv[0].startswith("-")):
            argv.pop(0)
    return argv


def _program(argv):
    return argv[0].lstrip("-@+!:").rsplit("/", 1)[-1] if argv else ""


def _shell_commands(argv):
    """Return the command lines in `sh -c 'cd /srv && exec node app.js'`."""
    for at, word in enumerate(argv[1:], 1):
        if re.match(r"^-[a-z]*c$", word):
            script = " ".join(argv[at + 1:])[:MAX_LINE]
            return [split(part) for part in re.split(r"&&|\|\||[;|\n]", script) if part.strip()]
    return []


def _options(argv):
    """Yield (name, value): "--port=3000", "--port 3000", "-p3000", "-Dserver.port=8080"."""
    for at, word in enumerate(argv[1:], 1):
        if not word.startswith("-") or len(word) < 2:
            continue
        name, equals, value = word.partition("=")
        if equals:
            yield name, value
        elif at + 1 < len(argv):
            yield word, argv[at + 1]
        if not word.startswith("--") and re.match(r"^-[pPbs]:?[\d/]", word):
            yield word[:2], word[2:]


def _add_server(claims, argv, options, source, folder):
    host = next((value for name, value in options if name in _HOST_OPTIONS and _IP.match(value)), "")
    for name, value in options:
        if name in _PORT_OPTIONS and value.isdigit():
            claims.add(_tcp(host, value), source)
        elif name in _ENDPOINT_OPTIONS and (not value.isdigit() or name in ("--http", "--http-socket", "--listen", "--bind")):
            _add_list(claims, value, source, folder, short=not name.startswith("--"))
    positional = argv[2:] if "runserver" in argv or "http.server" in argv else []
    for word in positional:
        if not word.startswith("-") and (word.isdigit() or _TCP.match(word)):
            claims.add(_tcp(host, word) if word.isdigit() else endpoint_of(word), source)


def _add_list(claims, value, source, folder, short):
    for part in re.split(r"[;,]", value):
        # A short option means something else in many programs; a whole endpoint settles it.
        if not short or ":" in part or part.endswith((".sock", ".socket")):
            claims.add(endpoint_of(part, folder), source)


def _add_tunnel(claims, options, source, program):
    """Add the near ends of -L [bind_address:]port:host:hostport, and of -D (ssh(1))."""
    for name, value in options:
        if name not in ("-L", "-D"):
            continue
        near = re.match(r"^(?:(?P<address>\[[^\]]+\]|[^:/\[]*):)?(?P<port>\d+)" + (":" if name == "-L" else "$"), value)
        if near:
            address = near.group("address")
            claims.add(_tcp("127.0.0.1" if address is None else address, near.group("port")), source, program)
        elif value.startswith("/"):
            claims.add(_socket_path(value.partition(":")[0], ""), source, program)


def _add_published(claims, options, source):
    """Add the host's ends of -p [address:]port:container_port[/protocol]."""
    for name, value in options:
        if name in ("-p", "--publish"):
            near = re.match(r"^(?:(?P<address>\[[^\]]+\]|[\d.]+):)?(?P<port>\d+):\d+(?:/tcp)?$", value)
            if near:
                claims.add(_tcp(near.group("address") or "", near.group("port")), source)


def _add_forward(claims, argv, options, source):
    """Add the near ends of `kubectl port-forward TYPE/NAME [LOCAL:]REMOTE...`."""
    if "port-forward" not in argv:
        return
    address = next((value for name, value in options if name == "--address"), "127.0.0.1")
    for word in argv[argv.index("port-forward") + 1:]:
        near = re.match(r"^(\d+)(?::\d+)?$", word)
        if near:
            claims.add(_tcp(address.partition(",")[0], near.group(1)), source, "kubectl port-forward")


def _add_socat(claims, argv, source):
    for word in argv[1:]:
        near = re.match(r"(?i)^(?:(?:TCP[46]?-L(?:ISTEN)?):(?P<port>\d+)|UNIX-L(?:ISTEN)?:(?P<path>/[^,]+))", word)
        if near:
            claims.add(_tcp("", near.group("port")) if near.group("port") else _socket_path(near.group("path"), ""), source, "socat")


def from_files(claims, host, argv, folder=""):
    """Add what the files that a command line names claim: script, configuration, package.json."""
    for path in files_of(host, argv, folder)[:MAX_FILES]:
        from_file(claims, host, path, folder)


def files_of(host, argv, folder=""):
    """Return the paths of the files that a command line names or that its program reads unasked."""
    argv = _bare(argv)
    program = _program(argv)
    if program in _SHELLS and "-c" in argv:
        return [path for inner in _shell_commands(argv) for path in files_of(host, inner, folder)]
    found = [_absolute(word, folder) for word in argv if word.endswith(_FILE_SUFFIXES) and not word.startswith("-")]
    script = next((word for word in argv[1:] if not word.startswith("-")), "") if program in _SHELLS else program and argv[0]
    if script.startswith(_SCRIPT_FOLDERS):
        found.append(script)
    for name, value in _options(argv):
        if name in _FILE_OPTIONS or value.endswith(_FILE_SUFFIXES):
            found += _configuration(host, _absolute(value.replace("file:", "", 1), folder))
    base = " ".join(argv[:2])
    if program in ("npm", "yarn", "pnpm") or "/npm" in base or "/yarn" in base:
        found += _package(host, argv, folder)
    if "gunicorn" in base:
        found.append(_absolute("gunicorn.conf.py", folder))
    if "puma" in base:
        found.append(_absolute("config/puma.rb", folder))
    return [path for at, path in enumerate(found) if path and path not in found[:at]]


def _absolute(path, folder):
    if path.startswith("/"):
        return os.path.normpath(path)
    return os.path.normpath(folder + "/" + path) if folder.startswith("/") else ""


def _configuration(host, path):
    """Return a configuration file, or those in a folder of them (uWSGI's emperor)."""
    try:
        names = host.names(path) if path else []
    except evidence.Unanswered:
        return [path]
    return [path + "/" + name for name in names if name.endswith((".ini", ".yml", ".yaml"))][:MAX_FILES]


def _package(host, argv, folder):
    """Return the files of the script that `npm start` or `npm run NAME` runs."""
    path = _absolute("package.json", folder)
    words = [word for word in argv if not word.startswith("-")]
    name = "start"
    for verb in ("run", "run-script"):
        if verb in words[:-1]:
            name = words[words.index(verb) + 1]
    try:
        line = json.loads(host.text(path, MAX_FILE))["scripts"][name]
    except (evidence.Unanswered, OSError, ValueError, KeyError, TypeError):
        return []
    return [] if not isinstance(line, str) or "npm" in line else files_of(host, split(line[:MAX_LINE]), folder)


def from_file(claims, host, path, folder=""):
    """Add what a file claims, with its line. A file that cannot be read claims nothing."""
    try:
        raw = host.read(path, MAX_FILE)[0]
    except (evidence.Unanswered, OSError):
        return
    magic = {"%n": os.path.splitext(os.path.basename(path))[0], "%d": os.path.dirname(path) + "/", "%p": path}
    for number, line in enumerate(raw.split(b"\n"), 1):
        line = text.decode(line[:MAX_LINE])
        if _FORWARDS.search(line) and not _COMMENT.match(line):
            from_argv(claims, split(line), "{0}:{1}".format(path, number), folder)
        if _COMMENT.match(line) or not _HINT.search(line) and "stunnel" not in path:
            continue
        if path.endswith(".ini"):
            for name, value in magic.items():
                line = line.replace(name, value)
        source = "{0}:{1}".format(path, number)
        accepts = _ACCEPT.match(line) if "stunnel" in path else None
        if accepts:
            claims.add(endpoint_of(accepts.group("endpoint")), source, "stunnel")
        for endpoint in endpoints_in(line, folder, path.endswith((".ini", ".sh", ".py", ".rb", ".yml", ".yaml", ".toml", ".conf"))):
            claims.add(endpoint, source)


def endpoints_in(line, folder="", settings=False):
    """Yield the endpoints that a line of a program or a configuration names.

    settings says that `bind = ...` in such a file sets an endpoint; in JavaScript it would not.
    """
    for match in _LISTEN_CALL.finditer(line):
        yield _tcp(match.group("address") or "", match.group("port"))
    for match in _ASSIGNED_PORT.finditer(line):
        if not _CLIENT_NAME.search(match.group("name").rstrip("_.-")):
            yield _server_port(match.group("port"))
    for match in _DEFAULT_PORT.finditer(line):
        yield _server_port(match.group("port"))
    if settings:
        for match in _ASSIGNED_ENDPOINT.finditer(line):
            yield _server_endpoint(match.group("endpoint"), folder)
    for match in _SOCKET_PATH.finditer(line):
        yield _server_endpoint(match.group("path"), folder)
    for match in _SHELL_OPTION.finditer(line):
        yield _server_endpoint(match.group("endpoint"), folder)


def _server_port(port):
    return "" if int(port) in _CLIENT_PORTS or int(port) < 80 else _tcp("", port)


def _server_endpoint(written, folder):
    endpoint = endpoint_of(written, folder)
    if endpoint.startswith("unix:"):
        # A bare folder or file is no socket: only what is called one counts.
        named = endpoint.endswith((".sock", ".socket", "/socket"))
        return "" if _CLIENT_SOCKET.search(endpoint) or not named else endpoint
    return "" if endpoint and int(endpoint.rpartition(":")[2]) in _CLIENT_PORTS else endpoint
