# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every edit of every configuration: thousands of generated ones, and those of the tests that look like people's.

After an edit nginx reads the wanted statements in every place that the files are included in, all other bytes and all comments are as they
were, the same edit again does nothing, and the edit that undoes it gives the file of before.
"""

import functools
import pathlib
import random

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as edit
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text

HEALTHY = pathlib.Path(__file__).resolve().parents[1] / "plugin_utils" / "healthy"
MAIN, FILES = "/c/main", ("/c/main", "/c/f1", "/c/f2")

read_file = functools.lru_cache(maxsize=64)(nginx_text.read)

NAMES = ["alpha", "beta", "gamma_delta", "root", "return", "x"]
BLOCKS = ["http", "server", "location /a", "location ~ \\.php$", "if ($a = \"b\")", "upstream u", "x"]
RAW_WORDS = [
    b"on", b"120s", b'"a b"', b"'c;d'", b'""', b"$host", b"${a}b", b"\\.php$", b'"\\"q\\""', b"it\\'s", b"a}b", b"\\ ", b"x#y", b"~*", b'"{}"', b"\xc3\xa9\xff",
    b'a="b"',
]
VALUES = [b"on", b"", b"a b", b"c;{}d", b"#x", b'"', b"'", b"\\", b"\\n\n\t\r", b"$a${b}", b")", b"}", b"\\.php$", b"\xff", b"60s"]


class Writer:
    """Writes files of statements in every way that nginx reads."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.end = self.rng.choice([b"\n", b"\n", b"\r\n"])
        self.indent = self.rng.choice([b"    ", b"\t", b"  ", b""])

    def file(self, includes):
        self.includes = includes
        raw = b"".join(self.statement(0) for _one in range(self.rng.randrange(1, 5)))
        return raw if self.rng.random() < 0.7 else raw.rstrip() + self.rng.choice([b"", b" ", b" # end", b" # }"])

    def blank(self):
        return self.rng.choice([b" ", b" ", b" ", b"  ", b"\t", self.end + b" ", b" # c;{\" " + self.end + b" "])

    def statement(self, depth):
        rng = self.rng
        lead = self.indent * depth if rng.random() < 0.8 else b""
        if rng.random() < 0.15:
            lead += b"# a; } comment" + self.end + lead
        tail = rng.choice([self.end, self.end, self.end, b" ", b"", b" # why; {" + self.end, self.end * 2])
        if self.includes and rng.random() < 0.2:
            return lead + b"include " + rng.choice(self.includes).encode() + b";" + tail
        if depth < 3 and rng.random() < 0.4:
            return lead + self.block(depth) + tail
        words = [rng.choice(NAMES).encode()] + [rng.choice(RAW_WORDS) for _one in range(rng.randrange(4))]
        return lead + b"".join(word + self.blank() for word in words[:-1]) + words[-1] + rng.choice([b"", b"", b" "]) + b";" + tail

    def block(self, depth):
        rng = self.rng
        if rng.random() < 0.1:
            return b"x_by_lua_block { s = '}' -- { " + self.end + b" if a then b = [[ } ]] end }"
        name = rng.choice(BLOCKS).encode()
        inner = b"".join(self.statement(depth + 1) for _one in range(rng.randrange(4)))
        if rng.random() < 0.2 and b"\n" not in inner:
            return name + b" {" + rng.choice([b"", b" "]) + inner + b"}"
        return name + b" {" + rng.choice([self.end, self.end, b" ", b" # open {" + self.end]) + inner + rng.choice([self.indent * depth, b" "]) + b"}"


def files_of(seed):
    """Return {path: bytes}: files that include those after them."""
    writer = Writer(seed)
    return {path: writer.file(FILES[index + 1:]) for index, path in enumerate(FILES)}


def configuration(files):
    return edit.Configuration(MAIN, files, {}, {path: [path] for path in FILES})


class Node:
    """A statement where nginx reads it: what it is (file, offset), its words, and what is inside: [Node], the bytes of code, or None."""

    def __init__(self, identity, words, inside):
        self.identity, self.words, self.inside = identity, words, inside

    def plain(self):
        return (self.words, plain(self.inside))


def plain(nodes):
    """Return nodes without their places."""
    return [node.plain() for node in nodes] if isinstance(nodes, list) else nodes


def read(files):
    """Return [Node] of what nginx reads, every include followed by what it includes."""

    def nodes(statements, path):
        found = []
        for statement in statements:
            words = [word.value for word in statement.words]
            inside = files[path][slice(*statement.code)] if statement.code else None
            if statement.block is not None and not statement.code:
                inside = nodes(statement.block, path)
            found.append(Node((path, statement.words[0].start), words, inside))
            if words[0] == b"include" and inside is None and words[1].decode() in files:
                found += nodes(read_file(files[words[1].decode()]).statements, words[1].decode())
        return found

    return nodes(read_file(files[MAIN]).statements, MAIN)


def walk(nodes):
    for node in nodes:
        yield node
        if isinstance(node.inside, list):
            yield from walk(node.inside)


def comments(raw):
    return [raw[comment.start:comment.end].rstrip(b"\r") for comment in read_file(raw).comments]


def statement_at(raw, offset):
    return next(statement for statement, _parents in read_file(raw).walk() if statement.words[0].start == offset)


def only_inserted(before, after):
    size = next((at for at, (one, other) in enumerate(zip(before, after)) if one != other), min(len(before), len(after)))
    return len(after) > len(before) and after.endswith(before[size:])


def only_removed(before, after, statement):
    """Return whether a statement went, with blanks around it and nothing else."""
    start, end, gone = statement.words[0].start, statement.end, len(before) - len(after)
    return any(
        before[:first] + before[first + gone:] == after and not (before[first:start] + before[end:first + gone]).strip()
        for first in range(max(0, end - gone), start + 1)
    )


def only_arguments(before, after, statement):
    first, rest = statement.words[0].end, len(before) - statement.at
    return before[:first] == after[:first] and before[-rest:] == after[-rest:] and len(after) >= first + rest


class Case:
    """One configuration, one block in it, and the one file that an edit changes."""

    def __init__(self, files, rng):
        self.files = files
        self.nodes = read(files)
        blocks = [None] + [node for node in walk(self.nodes) if isinstance(node.inside, list)]
        self.block = rng.choice(blocks)
        self.rng = rng

    def context(self):
        if self.block is None:
            return edit.Context(block="main")
        path, offset = self.block.identity
        expects = b" ".join(self.block.words).decode("utf-8", "surrogateescape")
        return edit.Context(file=path, line=statement_at(self.files[path], offset).line, expects=expects)

    def inside(self):
        return self.nodes if self.block is None else self.block.inside

    def same(self, name):
        """Return the statements of a name in the block, each once."""
        found = {node.identity: node for node in self.inside() if node.words[0] == name and node.inside is None}
        return list(found.values())

    def expected(self, change):
        """Return what nginx is to read: change(node) gives the words of a statement, None when it goes."""

        def changed(nodes):
            made = []
            for node in nodes:
                words = change(node)
                if words is not None:
                    inside = changed(node.inside) if isinstance(node.inside, list) else node.inside
                    if self.block is not None and node.identity == self.block.identity:
                        inside = self.with_added(inside, node.identity[0])
                    made.append(Node(node.identity, words, inside))
            return made

        return plain(self.with_added(changed(self.nodes), MAIN) if self.block is None else changed(self.nodes))

    def with_added(self, nodes, path):
        """Put what is added after the last of its name in the block's own file, else after the last that has no block and what it includes; else at the end."""
        simple = [index for index, node in enumerate(nodes) if node.identity[0] == path and node.inside is None]
        simple = [index for index in simple if self.added and nodes[index].words[0] == self.added[0].words[0]] or simple
        ordered = self.added and self.added[0].words[0] in (b"rewrite", b"return", b"set", b"break", b"allow", b"deny")
        at = simple[-1] + 1 if simple and not ordered else len(nodes)
        while at < len(nodes) and nodes[at].identity[0] != path:
            at += 1
        return nodes[:at] + self.added + nodes[at:]

    def run(self, directive, change, added=()):
        """Make an edit and hold what comes of it against what is expected; return the files, or None when nothing changes."""
        self.added = [Node(None, words, None) for words in added]
        files = configuration(self.files)
        did = files.apply(self.context(), directive)
        after = dict(self.files, **files.changed())
        assert plain(read(after)) == self.expected(change)
        assert did == (after != self.files)
        for path in FILES:
            assert comments(after[path]) == comments(self.files[path])
        return after

    def changed_file(self, after):
        (path,) = [path for path in FILES if after[path] != self.files[path]]
        return path, self.files[path], after[path]


def refused(case, directive):
    files = configuration(case.files)
    with pytest.raises(edit.Refused):
        files.apply(case.context(), directive)
    assert files.changed() == {}


def stay(node):
    return node.words


def check_present(case, name, args):
    directive, same = edit.Directive(name.decode(), args, key=0), case.same(name)
    if same and all(node.words[1:] == args for node in same):
        assert case.run(directive, stay) == case.files
        return "no change"
    if len(same) > 1:
        refused(case, directive)
        return "refused"
    if same:
        after = case.run(directive, lambda node: [name] + args if node.identity == same[0].identity else node.words)
        path, before, now = case.changed_file(after)
        assert only_arguments(before, now, statement_at(before, same[0].identity[1]))
        back, kind = edit.Directive(name.decode(), same[0].words[1:], key=0), "replaced"
    else:
        after = case.run(directive, stay, [[name] + args])
        path, before, now = case.changed_file(after)
        assert only_inserted(before, now)
        back, kind = edit.Directive(name.decode(), state=edit.ABSENT), "inserted"
    again = configuration(after)
    assert not again.apply(context_now(case, path, before, now), directive)
    assert again.apply(context_now(case, path, before, now), back)
    restored = dict(after, **again.changed())
    if kind == "replaced":
        assert plain(read(restored)) == plain(case.nodes)
    elif not had_no_byte_inside(case):
        assert restored == case.files
    return kind


def had_no_byte_inside(case):
    """Return whether the block is "{}": what was put into it leaves a blank."""
    if case.block is None:
        return False
    path, offset = case.block.identity
    statement = statement_at(case.files[path], offset)
    return statement.at + 1 == statement.close


def context_now(case, path, before, now):
    """Return the context with the line that its block has after an edit of one file."""
    if case.block is None or case.block.identity[0] != path:
        return case.context()
    opened = [statement for statement, _parents in read_file(before).walk() if statement.block is not None]
    index = next(index for index, statement in enumerate(opened) if statement.words[0].start == case.block.identity[1])
    context = case.context()
    context.line = [statement for statement, _parents in read_file(now).walk() if statement.block is not None][index].line
    return context


def check_absent(case, name):
    same, directive = case.same(name), edit.Directive(name.decode(), state=edit.ABSENT)
    gone = {node.identity for node in same}
    if len({tuple(node.words) for node in same}) > 1 or any(has_comment_inside(case.files, node) for node in same):
        refused(case, directive)
        return "refused"
    after = case.run(directive, lambda node: None if node.identity in gone else node.words)
    if len(same) == 1:
        _path, before, now = case.changed_file(after)
        assert only_removed(before, now, statement_at(before, same[0].identity[1]))
    return "removed" if same else "no change"


def has_comment_inside(files, node):
    path, offset = node.identity
    parsed = read_file(files[path])
    statement = statement_at(files[path], offset)
    return any(offset < comment.start < statement.end for comment in parsed.comments)


def check_appended(case, name, args):
    directive, there = edit.Directive(name.decode(), args, edit.APPENDED), [node for node in case.same(name) if node.words[1:] == args]
    after = case.run(directive, stay, [] if there else [[name] + args])
    return "no change" if after == case.files else "appended"


@pytest.mark.parametrize("part", range(4))
def test_generated_configurations(part):
    done = {}
    for seed in range(part * 1000, part * 1000 + 300):
        rng = random.Random(seed)
        files = files_of(seed)
        if any(read_file(raw).error for raw in files.values()):
            continue
        for _one in range(3):
            case = Case(files, rng)
            if ambiguous(case):
                refused(case, edit.Directive("alpha"))
                kind = "ambiguous"
            elif rng.random() < 0.2:
                kind = check_absent(case, rng.choice(NAMES).encode())
            else:
                check = check_appended if rng.random() < 0.2 else check_present
                kind = check(case, rng.choice(NAMES).encode(), [rng.choice(VALUES) for _two in range(rng.randrange(4))])
            done[kind] = done.get(kind, 0) + 1
    assert min(done[kind] for kind in ("replaced", "inserted", "removed", "refused", "appended", "no change")) > 20, done


def ambiguous(case):
    """Return whether several blocks open in one line with the same words."""
    if case.block is None:
        return False
    path, offset = case.block.identity
    parsed = read_file(case.files[path])
    mine = statement_at(case.files[path], offset)
    words = [word.value for word in mine.words]
    same = [one for one, _parents in parsed.walk() if one.line == mine.line and one.block is not None and [word.value for word in one.words] == words]
    return len(same) > 1


@pytest.mark.parametrize("path", sorted(HEALTHY.glob("*.conf")), ids=lambda path: path.stem)
def test_configurations_like_those_of_people(path):
    raw, rng = path.read_bytes(), random.Random(path.stem)
    files = {MAIN: raw, "/c/f1": b"", "/c/f2": b""}
    names = sorted({node.words[0] for node in walk(read(files)) if node.inside is None} - {b"include"})
    names = [name for name in names if name.isalnum() or b"_" in name and name.decode() not in edit.ARRAYS]
    for _one in range(40):
        case = Case(files, rng)
        if ambiguous(case) or case.block is not None and case.block.words[0] in (b"map", b"geo", b"types", b"split_clients"):
            continue
        name = rng.choice(names + [b"new_one"])
        if rng.random() < 0.3:
            check_absent(case, name)
        else:
            check_present(case, name, [rng.choice(VALUES) for _two in range(rng.randrange(3))])


def headers_in_force(chain):
    """Return the headers that a request gets: those of the innermost level that has any. chain: [[Node]], the outermost first."""
    for level in reversed(chain):
        found = [tuple(node.words[1:]) for node in level if node.words[0] == b"proxy_set_header"]
        if found:
            return found
    return []


def test_a_header_is_set_and_no_other_is_lost():
    """Whatever the levels have: what is in force afterwards is what was in force, with the new value."""
    kinds = set()
    for seed in range(400):
        rng = random.Random(seed)

        def level(inner):
            lines = [f"proxy_set_header {name} {rng.choice('uvw')};" for name in rng.sample(["Host", "X-A", "x-b", "X-C"], rng.choice([0, 0, 1, 2, 3]))]
            return " ".join(lines + [inner])

        raw = "http { " + level("server { " + level("location / { " + level("") + "}") + "}") + "}"
        name = rng.choice(["Host", "x-a", "X-B", "X-D"])
        depth = rng.randrange(3)
        files = edit.Configuration(MAIN, {MAIN: raw.encode()}, {}, {})
        context = edit.Context(block=["http", "server", "location"][depth])
        directive = edit.Directive("proxy_set_header", [name.encode(), b"new"])
        before = levels(raw.encode(), depth)
        files.apply(context, directive)
        wanted = [header for header in headers_in_force(before) if header[0].lower() != name.lower().encode()] + [(name.encode(), b"new")]
        after = files.files[MAIN].raw
        assert sorted(headers_in_force(levels(after, depth))) == sorted(wanted), raw
        assert not edit.Configuration(MAIN, {MAIN: after}, {}, {}).apply(context, directive)
        kinds.add((depth, bool(headers_in_force(before)), bool(headers_in_force(before[-1:]))))
    assert len(kinds) == 8


def levels(raw, depth):
    """Return the statements of http, server, location down to a depth."""
    nodes, found = read({MAIN: raw}), []
    for _one in range(depth + 1):
        nodes = [node for node in nodes if isinstance(node.inside, list)][0].inside
        found.append(nodes)
    return found


def test_every_value_is_written_so_that_nginx_reads_it():
    rng = random.Random(4)
    alphabet = [bytes([byte]) for byte in b" \t\r\n;{}\"'#$\\()ab/~*^trn\xff"]
    for _one in range(8000):
        value = b"".join(rng.choice(alphabet) for _two in range(rng.randrange(9)))
        like = rng.choice([b"", b'"', b"'"])
        parsed = read_file(b"x " + edit.quote(value, like) + b";")
        assert parsed.error is None and [statement.args for statement in parsed.statements] == [[value]] and not parsed.comments
