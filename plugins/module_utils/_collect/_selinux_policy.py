# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy of SELinux says that the kernel does not answer: types of ports, and which boolean would change a decision.

The kernel hands out the policy that it has loaded, in the form in which it loads one (/sys/fs/selinux/policy; the same form is in
/etc/selinux/<type>/policy). It is read here from end to end, so that no package is needed and no library of the host can hold or crash
a run: the 2 MB of Debian 12's take 0.04 s, half of what libsepol needs for them. Little-endian; versions 24 (2009) to 35; of what is not needed
only the length is known. Anything unexpected is an error, never a guess: an unknown version, or bytes that are left over.

Which boolean would allow what the kernel denies: for each that is off, the conditional rules are looked at as they would be with it
turned on, as audit2why(8) does. A rule that gives a permission does not help where a constraint takes it away again, so constraints
are evaluated; where they or a type's bounds cannot be, the answer is that it cannot be told.

Sources: policydb_read(), avtab_read_item(), cond_read_node(), ebitmap_read(), constraint_expr_eval_reason() and mls_context_to_sid()
of libsepol; security/selinux/ss/policydb.c.

This module is private to the collection.
"""

import errno
import os
import re
import struct
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

LOADED = "/sys/fs/selinux/policy"
MAX_POLICY = 64 << 20
TCP = 6

_MAGIC = 0xF97CFF8C
_TARGET = b"SE Linux"
_VERSIONS = range(24, 36)
_BUSY_TRIES = 20
_FILE = re.compile(r"policy\.([0-9]{1,3})\Z")
# Symbol tables of a policy, in their order.
_COMMONS, _CLASSES, _ROLES, _TYPES, _USERS, _BOOLEANS, _SENSITIVITIES, _CATEGORIES = range(8)
_ALLOW = 0x0001
_XPERMS = 0x07
_ENABLED = 0x8000
# Parts of a constraint: what they are, what they compare, how.
_NOT, _AND, _OR, _ATTRIBUTE, _NAMES = range(1, 6)
_USER, _ROLE, _TYPE, _OF_TARGET, _OF_NEITHER = 1, 2, 4, 8, 16
_EQUAL, _UNEQUAL, _DOMINATES, _DOMINATED, _INCOMPARABLE = range(1, 6)
# Which level of which side a constraint compares with which: (side, low or high).
_LEVELS = {
    32: ((0, 0), (1, 0)), 64: ((0, 0), (1, 1)), 128: ((0, 1), (1, 0)), 256: ((0, 1), (1, 1)), 512: ((0, 0), (0, 1)), 1024: ((1, 0), (1, 1)),
}
# Records with a context: number of words before it, which of them is the length of a name (or None), contexts.
_INITIAL, _FS, _PORTS, _NETIF, _NODE, _FS_USE, _NODE6, _PKEY, _ENDPORT = range(9)
_RECORDS = {
    _INITIAL: (1, None, 1), _FS: (1, 0, 2), _PORTS: (3, None, 1), _NETIF: (1, 0, 2), _NODE: (2, None, 1), _FS_USE: (2, 1, 1), _NODE6: (8, None, 1),
    _PKEY: (4, None, 1), _ENDPORT: (2, 0, 1),
}


def loaded(host):
    """Return the bytes of the policy that the kernel has loaded. It hands them to one reader at a time."""
    for _number in range(_BUSY_TRIES):
        try:
            raw, cut = host.read(LOADED, MAX_POLICY)
        except evidence.Unanswered as error:
            if os.strerror(errno.EBUSY) not in error.why:
                raise
            time.sleep(0.1)
            continue
        if cut:
            raise evidence.Unanswered(evidence.ERROR, "the policy is larger than {0} bytes".format(MAX_POLICY))
        return raw
    raise evidence.Unanswered(evidence.ERROR, "{0}: somebody else reads it".format(LOADED))


def at_boot(host, policy, newest):
    """Return {boolean: value} of the policy that the next boot loads: that with the highest version the kernel knows (newest). Raises Unanswered."""
    folder = "/etc/selinux/{0}/policy".format(policy)
    versions = [int(match.group(1)) for match in map(_FILE.match, host.names(folder)) if match]
    versions = [version for version in versions if version <= newest]
    if not versions:
        raise evidence.Unanswered(evidence.ABSENT, "{0} holds no policy for this kernel".format(folder))
    raw, cut = host.read("{0}/policy.{1}".format(folder, max(versions)), MAX_POLICY)
    if cut:
        raise evidence.Unanswered(evidence.ERROR, "the policy is larger than {0} bytes".format(MAX_POLICY))
    return Policy(raw, of_symbols=True).states()


class Policy:
    """A policy as bytes; of_symbols reads no further than its names. Raises Unanswered where it cannot be read."""

    def __init__(self, raw, of_symbols=False):
        self._raw = raw
        self._at = 0
        self.version = 0
        self._commons = {}
        self._classes = {}
        self._users, self._roles, self._sensitivities, self._categories = {}, {}, {}, {}
        self._types, self._type_names = {}, {}
        self._bounded = set()
        self._booleans = {}
        self._all_off = {}
        self._conditions = []
        self._ports = []
        self._attributes = {}
        try:
            self._read(of_symbols)
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise evidence.Unanswered(evidence.ERROR, "the policy cannot be read: {0}: {1}".format(type(error).__name__, error))

    def states(self):
        """Return {boolean: whether it is on}."""
        return {name: state for name, (_value, state) in self._booleans.items()}

    def port_records(self, ports):
        """Return {"port": {"type", "low", "high"}} of TCP ports: the first record that holds a port is the one that counts."""
        found = {}
        for port in ports:
            for protocol, low, high, kind in self._ports:
                if protocol == TCP and low <= port <= high:
                    if kind in self._type_names:
                        found[str(port)] = {"type": self._type_names[kind], "low": low, "high": high}
                    break
        return found

    def booleans_for(self, source, target, name, permission):
        """Return the sorted booleans that are off and each of which alone would let source do this to target; None where that cannot be told.

        source and target are contexts. Where a constraint denies it, no boolean helps.
        """
        try:
            return self._booleans_for(source, target, name, permission)
        except (KeyError, ValueError, IndexError):
            # Somebody whom this policy does not know.
            return None

    def _booleans_for(self, source, target, name, permission):
        number, permissions, constraints = self._classes[name]
        bit = permissions[permission]
        pair = self._context(source), self._context(target)
        sources, targets = self._attributes[pair[0][2]], self._attributes[pair[1][2]]
        if pair[0][2] in self._bounded:
            return None
        for permissions, expression in constraints:
            if permissions & bit:
                passed = self._constraint(expression, pair)
                if not passed:
                    return None if passed is None else []
        states = dict(self._booleans.values())
        off = {value: boolean for boolean, (value, state) in self._booleans.items() if not state}
        found = set()
        for expression, branches in self._conditions:
            wanted = [any(rule[0] in sources and rule[1] in targets and rule[2] == number and rule[3] & bit for rule in rules) for rules in branches]
            if not any(wanted):
                continue
            for value in {boolean for operator, boolean in expression if operator == 1} & set(off):
                if wanted[0 if _evaluated(expression, _with(states, value)) else 1]:
                    found.add(off[value])
        return sorted(found)

    def _context(self, written):
        """Return (user, role, type, (low, high)) of a context, by number; a level is (sensitivity, categories). Raises KeyError, ValueError."""
        user, role, kind, levels = (written.split(":", 3) + [""])[:4]
        low, _dash, high = levels.partition("-")
        low = self._level(low)
        return self._users[user], self._roles[role], self._types[kind], (low, self._level(high) if high else low)

    def _level(self, written):
        if not written:
            # A policy without levels.
            return 0, frozenset()
        sensitivity, _colon, categories = written.partition(":")
        found = set()
        for part in categories.split(",") if categories else ():
            first, _dot, last = part.partition(".")
            found.update(range(self._categories[first], self._categories[last or first] + 1))
        return self._sensitivities[sensitivity], frozenset(found)

    def _constraint(self, expression, pair):
        """Return whether a constraint lets a pair of contexts pass; None where it compares what is not known here."""
        stack = []
        for kind, attribute, operator, names in expression:
            if kind == _NOT:
                value = stack.pop()
                stack.append(None if value is None else not value)
            elif kind in (_AND, _OR):
                both = {stack.pop(), stack.pop()}
                decisive = kind == _OR
                stack.append(decisive if decisive in both else None if None in both else not decisive)
            elif kind == _NAMES:
                stack.append(self._named(attribute, operator, names, pair))
            else:
                stack.append(_compared(attribute, operator, pair))
        return stack.pop()

    def _named(self, attribute, operator, names, pair):
        side = pair[1 if attribute & _OF_TARGET else 0]
        place = {_USER: 0, _ROLE: 1, _TYPE: 2}.get(attribute & (_USER | _ROLE | _TYPE))
        if place is None or attribute & _OF_NEITHER or operator not in (_EQUAL, _UNEQUAL):
            return None
        return (side[place] in self._bitmap_at(names)) == (operator == _EQUAL)

    # --- reading

    def _read(self, of_symbols):
        magic, length = self._words(2)
        if magic != _MAGIC or self._bytes(length) != _TARGET:
            raise evidence.Unanswered(evidence.ERROR, "this is no policy of SELinux")
        self.version, _config, tables, kinds = self._words(4)
        if self.version not in _VERSIONS or tables != 8 or kinds > len(_RECORDS):
            raise evidence.Unanswered(evidence.ERROR, "policies of version {0} are not known here".format(self.version))
        # Capabilities and permissive types; those that are never audited.
        for _number in range(3 if self.version >= 35 else 2):
            self._skip_bitmap()
        readers = {
            _COMMONS: self._common, _CLASSES: self._class, _ROLES: self._role, _TYPES: self._type, _USERS: self._user, _BOOLEANS: self._boolean,
            _SENSITIVITIES: self._sensitivity, _CATEGORIES: self._category,
        }
        primes = []
        for table in range(tables):
            prime, count = self._words(2)
            primes.append(prime)
            for _number in range(count):
                readers[table]()
            if of_symbols and table == _BOOLEANS:
                return
        self._skip_rules(self._word())
        self._all_off = {value: False for value, _state in self._booleans.values()}
        for _number in range(self._word()):
            self._condition()
        self._skip(self._word() * (16 if self.version >= 26 else 12))
        self._skip(self._word() * 8)
        self._skip_file_names()
        for kind in range(kinds):
            for _number in range(self._word()):
                self._record(kind)
        self._skip_generic_files()
        for _number in range(self._word()):
            self._at += 12
            self._skip_range()
        for value in range(1, primes[_TYPES] + 1):
            # The type itself is one of its own, as policydb_read() has it.
            self._attributes[value] = self._bitmap() | {value}
        if self._at != len(self._raw):
            raise evidence.Unanswered(evidence.ERROR, "the policy cannot be read: {0} bytes are left over".format(len(self._raw) - self._at))

    def _words(self, count):
        found = struct.unpack_from("<{0}I".format(count), self._raw, self._at)
        self._at += 4 * count
        return found

    def _word(self):
        return self._words(1)[0]

    def _bytes(self, length):
        found = self._raw[self._at:self._at + length]
        if len(found) != length:
            raise IndexError("it ends too early")
        self._at += length
        return found

    def _skip(self, length):
        # A statement of its own: "+=" would forget how far its right side has read.
        self._at += length

    def _name(self, length):
        return self._bytes(length).decode("ascii")

    def _skip_bitmap(self):
        size, _highest, count = self._words(3)
        if size != 64:
            raise IndexError("a bitmap with words of {0} bits".format(size))
        self._at += 12 * count

    def _bitmap_at(self, place):
        self._at = place
        return self._bitmap()

    def _bitmap(self):
        """Return the numbers of the bits that are set, the first being 1."""
        size, _highest, count = self._words(3)
        if size != 64:
            raise IndexError("a bitmap with words of {0} bits".format(size))
        found = set()
        for start, bits in struct.iter_unpack("<IQ", self._bytes(12 * count)):
            while bits:
                lowest = bits & -bits
                found.add(start + lowest.bit_length())
                bits ^= lowest
        return found

    def _permissions(self, count):
        """Return {name: bit}."""
        found = {}
        for _number in range(count):
            length, value = self._words(2)
            if not 1 <= value <= 32:
                raise ValueError("permission {0}".format(value))
            found[self._name(length)] = 1 << (value - 1)
        return found

    def _common(self):
        length, _value, _prime, count = self._words(4)
        name = self._name(length)
        self._commons[name] = self._permissions(count)

    def _class(self):
        length, of_common, value, _prime, count, constraints = self._words(6)
        name = self._name(length)
        permissions = dict(self._commons[self._name(of_common)] if of_common else {})
        permissions.update(self._permissions(count))
        self._classes[name] = (value, permissions, self._constraints(constraints))
        # Rules for validatetrans, which bear on relabelling alone.
        self._constraints(self._word())
        self._at += 4 * ((3 if self.version >= 27 else 0) + (1 if self.version >= 28 else 0))

    def _constraints(self, count):
        """Return [(bits of the permissions that it bears on, [(what, what of, how, place of the bitmap of names or None)])]."""
        found = []
        for _number in range(count):
            permissions, length = self._words(2)
            expression = []
            for _part in range(length):
                part = self._words(3)
                expression.append(part + (self._at if part[0] == _NAMES else None,))
                if part[0] == _NAMES:
                    self._skip_bitmap()
                    if self.version >= 29:
                        # The names as they were written; those in the first bitmap are the types that they stand for.
                        self._skip_bitmap()
                        self._skip_bitmap()
                        self._at += 4
            found.append((permissions, expression))
        return found

    def _role(self):
        length, value, _bounds = self._words(3)
        self._roles[self._name(length)] = value
        self._skip_bitmap()
        self._skip_bitmap()

    def _type(self):
        length, value, properties, bounds = self._words(4)
        name = self._name(length)
        self._types[name] = value
        # An alias has the value of its type.
        if properties & 1:
            self._type_names[value] = name
        if bounds:
            self._bounded.add(value)

    def _user(self):
        length, value, _bounds = self._words(3)
        self._users[self._name(length)] = value
        self._skip_bitmap()
        self._skip_range()
        self._skip_level()

    def _boolean(self):
        value, state, length = self._words(3)
        self._booleans[self._name(length)] = (value, bool(state))

    def _sensitivity(self):
        length, _alias = self._words(2)
        name = self._name(length)
        self._sensitivities[name] = self._skip_level()

    def _category(self):
        length, value, _alias = self._words(3)
        self._categories[self._name(length)] = value

    def _skip_level(self):
        """Skip a level and return its sensitivity."""
        value = self._word()
        self._skip_bitmap()
        return value

    def _skip_range(self):
        levels = self._word()
        self._at += 4 * levels
        for _number in range(levels):
            self._skip_bitmap()

    def _skip_context(self):
        """Skip a context and return its type."""
        kind = self._words(3)[2]
        self._skip_range()
        return kind

    def _skip_rules(self, count):
        """Skip rules of 12 bytes each, but those for extended permissions, which have 42: the high byte of their kind tells them."""
        plain = bytes(0 if kind & _XPERMS == 0 else 1 for kind in range(256))
        while count:
            here = min(count, 4096)
            kinds = self._raw[self._at + 7:self._at + 12 * here:12].translate(plain)
            if not kinds:
                raise IndexError("it ends too early")
            first = kinds.find(b"\1")
            short = first if first >= 0 else len(kinds)
            self._at += 12 * short
            count -= short
            if first >= 0:
                self._at += 42
                count -= 1

    def _condition(self):
        self._at += 4
        expression = [self._words(2) for _number in range(self._word())]
        # One that cannot be evaluated is an error now.
        _evaluated(expression, self._all_off)
        self._conditions.append((expression, (self._allowing(), self._allowing())))

    def _allowing(self):
        """Return [(source, target, class, permissions)] of a list of rules: those that allow."""
        found = []
        for _number in range(self._word()):
            source, target, number, kind, permissions = struct.unpack_from("<HHHHI", self._raw, self._at)
            if (kind >> 8) & _XPERMS:
                self._at += 42
                continue
            self._at += 12
            if kind & ~_ENABLED == _ALLOW:
                found.append((source, target, number, permissions))
        return found

    def _skip_file_names(self):
        """Skip the transitions by the name of a file."""
        if self.version < 25:
            return
        for _number in range(self._word()):
            self._skip(self._word())
            if self.version < 33:
                self._at += 16
                continue
            for _datum in range(self._words(3)[2]):
                self._skip_bitmap()
                self._at += 4

    def _record(self, kind):
        count, named, contexts = _RECORDS[kind]
        words = self._words(count)
        if named is not None:
            self._skip(words[named])
        types = [self._skip_context() for _number in range(contexts)]
        if kind == _PORTS:
            self._ports.append(words + (types[0],))

    def _skip_generic_files(self):
        for _number in range(self._word()):
            self._skip(self._word())
            for _record in range(self._word()):
                self._skip(self._word())
                self._at += 4
                self._skip_context()


def _evaluated(expression, states):
    """Return the value of a conditional expression in postfix form: 1 a boolean, 2 not, 3 or, 4 and, 5 xor, 6 equal, 7 unequal."""
    stack = []
    for operator, boolean in expression:
        if operator == 1:
            stack.append(bool(states[boolean]))
        elif operator == 2:
            stack.append(not stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append({3: left or right, 4: left and right, 5: left != right, 6: left == right, 7: left != right}[operator])
    return stack.pop()


def _with(states, value):
    changed = dict(states)
    changed[value] = True
    return changed


def _compared(attribute, operator, pair):
    """Return what a comparison of the two contexts of a pair in a constraint comes to, or None where it is one of roles' rank."""
    if attribute in _LEVELS:
        (side, end), (other_side, other_end) = _LEVELS[attribute]
        left, right = pair[side][3][end], pair[other_side][3][other_end]
        above = left[0] >= right[0] and left[1] >= right[1]
        below = right[0] >= left[0] and right[1] >= left[1]
        return {
            _EQUAL: left == right, _UNEQUAL: left != right, _DOMINATES: above, _DOMINATED: below, _INCOMPARABLE: not above and not below,
        }.get(operator)
    place = {_USER: 0, _ROLE: 1, _TYPE: 2}.get(attribute)
    if place is None or operator not in (_EQUAL, _UNEQUAL):
        return None
    return (pair[0][place] == pair[1][place]) == (operator == _EQUAL)
