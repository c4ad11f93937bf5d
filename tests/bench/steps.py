#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""BPF instructions that a packet of each kind takes, counted one by one: no machine's noise is in them.

The programs of the object file run here, outside of the kernel: arrays and hashes stand for the maps, the clock is
ours, and a call of a helper is one instruction. What the kernel makes of it (a look into an array is some nine
instructions of the processor) is not in the figures, so they tell how two builds differ, and not what time they take.

usage: steps.py [-x] [-v] [OBJECT]    build/monitor.bpf.o
  -x  the XDP program instead of TC egress
  -v  also where a data packet's instructions are, by function of the source
"""
import bisect
import collections
import getopt
import os
import random
import re
import struct
import sys

WORD = (1 << 64) - 1
ARRAYS = (2, 6)  # BPF_MAP_TYPE_ARRAY, _PERCPU_ARRAY
DATA_AT = 64  # of the packet in its room: a pointer whose lower half is 0 would be taken for none


class Object:
    """What is in an object file of BPF programs: code, symbols, and of BTF the maps, structs and lines."""

    def __init__(self, path):
        self.bytes = open(path, "rb").read()
        offset, = struct.unpack_from("<Q", self.bytes, 0x28)
        size, count, names = struct.unpack_from("<HHH", self.bytes, 0x3A)
        fields = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, offset + i * size) for i in range(count)]
        self.sections = [dict(name=self.text(fields[names][4] + f[0]), type=f[1], at=f[4], size=f[5], link=f[6],
                              info=f[7]) for f in fields]
        self.index = {section["name"]: i for i, section in enumerate(self.sections)}
        self.symbols = []
        for section in self.sections:
            if section["type"] == 2:  # SHT_SYMTAB
                strings = self.sections[section["link"]]["at"]
                for at in range(section["at"], section["at"] + section["size"], 24):
                    name, info, _, where, value, size = struct.unpack_from("<IBBHQQ", self.bytes, at)
                    self.symbols.append(dict(name=self.text(strings + name), kind=info & 15, section=where,
                                             value=value))
        self.read_types()
        self.read_lines()

    def text(self, at):
        return self.bytes[at:self.bytes.index(b"\0", at)].decode()

    def contents(self, name):
        section = self.sections[self.index[name]]
        if section["type"] == 8:  # SHT_NOBITS
            return bytes(section["size"])
        return self.bytes[section["at"]:section["at"] + section["size"]]

    def section_of(self, symbol):
        return self.sections[symbol["section"]]["name"]

    def relocations(self, name):
        """Symbols by the offset of the instruction that speaks of them."""
        found = {}
        for section in self.sections:
            if section["type"] == 9 and section["info"] == self.index[name]:  # SHT_REL
                for at in range(section["at"], section["at"] + section["size"], 16):
                    offset, info = struct.unpack_from("<QQ", self.bytes, at)
                    found[offset] = self.symbols[info >> 32]
        return found

    def instructions(self, name):
        code, speaks_of = self.contents(name), self.relocations(name)
        return [(op, registers & 15, registers >> 4, offset, value, speaks_of.get(i * 8))
                for i, (op, registers, offset, value) in enumerate(struct.iter_unpack("<BBhi", code))]

    def read_types(self):
        btf = self.contents(".BTF")
        _, _, _, header, at, length, strings, _ = struct.unpack_from("<HBBIIIII", btf, 0)
        self.strings = btf[header + strings:]
        self.types, at = [dict(kind=0)], header + at
        end = at + length
        more = {1: 4, 14: 4, 17: 4}  # INT, VAR, DECL_TAG
        each = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}  # STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64
        while at < end:
            name, info, size = struct.unpack_from("<III", btf, at)
            kind, count, at = info >> 24 & 31, info & 0xFFFF, at + 12
            described = dict(name=self.string(name), kind=kind, size=size)
            if kind == 3:  # ARRAY
                described["element"], _, described["count"] = struct.unpack_from("<III", btf, at)
                at += 12
            if kind in (4, 5):
                members = [struct.unpack_from("<III", btf, at + 12 * i) for i in range(count)]
                described["members"] = {self.string(m[0]): (m[1], m[2] // 8) for m in members}
            at += more.get(kind, 0) + each.get(kind, 0) * count
            self.types.append(described)

    def string(self, at):
        return self.strings[at:self.strings.index(b"\0", at)].decode()

    def size_of(self, number):
        described = self.types[number]
        if described["kind"] == 3:
            return self.size_of(described["element"]) * described["count"]
        if described["kind"] in (1, 4, 5, 6, 19):
            return described["size"]
        return 8 if described["kind"] == 2 else self.size_of(described["size"])

    def named(self, name, kind):
        return next(t for t in self.types if t["kind"] == kind and t["name"] == name)

    def offset(self, name, member):
        """Of a member of a struct, in bytes."""
        return self.named(name, 4)["members"][member][1]

    def map(self, name):
        """Its type, sizes of keys and values, and how many there may be."""
        members = self.types[self.named(name, 14)["size"]]["members"]
        number = {m: self.types[self.types[members[m][0]]["size"]]["count"] for m in ("type", "max_entries")
                  if m in members}
        size = {m: self.size_of(self.types[members[m][0]]["size"]) for m in ("key", "value") if m in members}
        return number["type"], size.get("key", 0), size.get("value", 0), number["max_entries"]

    def read_lines(self):
        ext = self.contents(".BTF.ext")
        _, _, _, header, _, _, at, length = struct.unpack_from("<HBBIIIII", ext, 0)
        at += header
        end, self.lines = at + length, {}
        size, = struct.unpack_from("<I", ext, at)
        at += 4
        while at < end:
            name, count = struct.unpack_from("<II", ext, at)
            at += 8
            for i in range(count):
                offset, file, _, line = struct.unpack_from("<IIII", ext, at + i * size)
                lines = self.lines.setdefault(self.string(name), [])
                lines.append((offset // 8, self.string(file), struct.unpack_from("<I", ext, at + i * size + 12)[0] >> 10))
            at += count * size

    def line(self, section, instruction):
        lines = self.lines[section]
        return lines[bisect.bisect_right(lines, (instruction, "\x7f")) - 1][1:]


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


COMPARE = {1: lambda a, b: a == b, 2: lambda a, b: a > b, 3: lambda a, b: a >= b, 4: lambda a, b: a & b,
           5: lambda a, b: a != b, 10: lambda a, b: a < b, 11: lambda a, b: a <= b}
COMPARE_SIGNED = {6: lambda a, b: a > b, 7: lambda a, b: a >= b, 12: lambda a, b: a < b, 13: lambda a, b: a <= b}
COMPUTE = {0: lambda a, b: a + b, 1: lambda a, b: a - b, 2: lambda a, b: a * b, 3: lambda a, b: a // b if b else 0,
           4: lambda a, b: a | b, 5: lambda a, b: a & b, 8: lambda a, b: -a, 9: lambda a, b: a % b if b else a,
           10: lambda a, b: a ^ b, 11: lambda a, b: b}
SIZES = {0: 4, 8: 2, 16: 1, 24: 8}


class Machine:
    """Runs programs. An address is the number of a room, and in its lower half the offset there."""

    def __init__(self, binary, entries):
        self.binary, self.rooms, self.maps, self.handles, self.contents = binary, [], {}, {}, {}
        self.steps, self.now_ns = collections.Counter(), 10 ** 12
        self.frames = [self.room(512) for _ in range(12)]
        self.globals = {s["name"]: self.room(s["size"], binary.contents(s["name"])) for s in binary.sections
                        if s["name"].startswith((".rodata", ".bss", ".data")) and s["size"]}
        for symbol in binary.symbols:
            if symbol["kind"] == 1 and binary.section_of(symbol) == ".maps":
                name = symbol["name"]
                kind, key, value, most = binary.map(name)
                most = entries.get(name, most)
                self.maps[name], self.handles[name] = (kind, key, value, most), self.room(0)
                self.contents[name] = self.room(value * most) if kind in ARRAYS else {}
        self.names = {handle: name for name, handle in self.handles.items()}
        self.code = {name: binary.instructions(name) for name in (".text", "tc", "xdp")}
        self.starts = {s["name"]: (binary.section_of(s), s["value"] // 8) for s in binary.symbols if s["kind"] == 2}

    def room(self, size, contents=b""):
        self.rooms.append(bytearray(size))
        self.rooms[-1][:len(contents)] = contents
        return len(self.rooms) << 32

    def load(self, address, size):
        room, at = self.rooms[(address >> 32) - 1], address & 0xFFFFFFFF
        assert at + size <= len(room), "beyond a room"
        return int.from_bytes(room[at:at + size], "little")

    def store(self, address, size, value):
        room, at = self.rooms[(address >> 32) - 1], address & 0xFFFFFFFF
        assert at + size <= len(room), "beyond a room"
        room[at:at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def copy(self, address, size):
        return self.load(address, size).to_bytes(size, "little")

    def variable(self, name):
        symbol = next(s for s in self.binary.symbols if s["name"] == name)
        return self.globals[self.binary.section_of(symbol)] + symbol["value"]

    def element(self, name, key):
        kind, _, value, most = self.maps[name]
        if kind in ARRAYS:
            number = int.from_bytes(key, "little")
            return self.contents[name] + number * value if number < most else 0
        return self.contents[name].get(key, 0)

    def put(self, name, key, value, only_new):
        if key in self.contents[name] and only_new:
            return -17 & WORD  # EEXIST
        self.contents[name][key] = self.room(len(value), value)
        return 0

    def help(self, number, given):
        if number in (1, 2, 3):
            name = self.names[given[0]]
            _, key_size, value_size, _ = self.maps[name]
            key = self.copy(given[1], key_size)
        if number == 1:  # bpf_map_lookup_elem
            return self.element(name, key)
        if number == 2:  # bpf_map_update_elem
            return self.put(name, key, self.copy(given[2], value_size), given[3] == 1)
        if number == 3:  # bpf_map_delete_elem
            return 0 if self.contents[name].pop(key, 0) else -2 & WORD
        if number == 5:  # bpf_ktime_get_ns
            return self.now_ns
        if number in (93, 94):  # bpf_spin_lock, bpf_spin_unlock
            return 0
        raise NotImplementedError("helper %d" % number)

    def compute(self, op, a, b, value):
        operation, bits = op >> 4, 64 if op & 7 == 7 else 32
        if operation == 13:  # the order of octets
            size = value // 8
            a &= (1 << value) - 1
            return int.from_bytes(a.to_bytes(size, "little"), "big") if op & 8 else a
        a, b = a & ((1 << bits) - 1) if bits == 32 else a, b & ((1 << bits) - 1)
        if operation in (6, 7, 12):
            shift = b & (bits - 1)
            return ((a << shift) if operation == 6 else (a if operation == 7 else signed(a, bits)) >> shift) & (
                (1 << bits) - 1)
        return COMPUTE[operation](a, b) & ((1 << bits) - 1)

    def jumps(self, op, a, b):
        operation, bits = op >> 4, 64 if op & 7 == 5 else 32
        a, b = a & ((1 << bits) - 1), b & ((1 << bits) - 1)
        if operation in COMPARE:
            return COMPARE[operation](a, b)
        return COMPARE_SIGNED[operation](signed(a, bits), signed(b, bits))

    def change(self, r, address, size, source, what):
        """An atomic instruction."""
        before, mask = self.load(address, size), (1 << 8 * size) - 1
        if what == 0xF1:  # compare and exchange
            if before == r[0] & mask:
                self.store(address, size, r[source])
            r[0] = before
            return
        self.store(address, size, r[source] if what == 0xE1 else COMPUTE[what >> 4](before, r[source]))
        if what & 1:
            r[source] = before

    def run(self, program, context, context_field):
        """Instructions it took; each is counted in self.steps."""
        section, at = self.starts[program]
        code, r, callers = self.code[section], [0] * 11, []
        r[1], r[10] = context, self.frames[0] + 512
        self.steps.clear()
        while True:
            op, target, source, offset, value, symbol = code[at]
            self.steps[section, at] += 1
            at, group = at + 1, op & 7
            if op == 0x18:  # a number of 64 bits, or an address
                r[target] = (value & 0xFFFFFFFF) | (code[at][4] & 0xFFFFFFFF) << 32
                if symbol and self.binary.section_of(symbol) == ".maps":
                    r[target] = self.handles[symbol["name"]]
                elif symbol:
                    r[target] = self.globals[self.binary.section_of(symbol)] + symbol["value"] + value
                at += 1
            elif group in (4, 7):
                r[target] = self.compute(op, r[target], r[source] if op & 8 else value & WORD, value)
            elif group == 1:
                address = r[source] + offset
                r[target] = context_field(offset) if address >> 32 == context >> 32 else self.load(address, SIZES[op & 24])
            elif group in (2, 3) and op & 0xE0 == 0xC0:
                self.change(r, r[target] + offset, SIZES[op & 24], source, value)
            elif group in (2, 3):
                self.store(r[target] + offset, SIZES[op & 24], r[source] if group == 3 else value & WORD)
            elif op == 0x85 and source == 1:  # a function of ours
                callers.append((section, at, r[6:11]))
                section, at = self.starts[symbol["name"]]
                code, r[10] = self.code[section], self.frames[len(callers)] + 512
            elif op == 0x85:
                r[0] = self.help(value, r[1:6])
            elif op == 0x95 and not callers:
                return sum(self.steps.values())
            elif op == 0x95:
                section, at, r[6:11] = callers.pop()
                code = self.code[section]
            elif op >> 4 == 0 or self.jumps(op, r[target], r[source] if op & 8 else value & WORD):
                at += offset


SYN, PSH, ACK = 2, 8, 16
CLIENT, SERVER = 0, 1
PAYLOAD = 200


class Connection:
    """One connection between two hosts with Linux's options, and what each of its packets takes."""

    def __init__(self, machine, program):
        self.machine, self.program = machine, program
        self.room, self.context = machine.room(4096) + DATA_AT, machine.room(256)
        self.next, self.ip_id, self.ticks, self.tsval = [1000, 5000], [100, 7000], 1, [1, 1]

    def context_field(self, offset):
        """Of struct xdp_md, or of struct __sk_buff: data, data_end, len, gso_segs."""
        if self.program == "ackmon_xdp":
            return {0: self.room, 4: self.room + self.len}.get(offset, 0)
        return {76: self.room, 80: self.room + self.len, 0: self.len, 164: 1}.get(offset, 0)

    def send(self, side, flags, payload=0, seq=None):
        """Instructions of one packet. Without seq it is the next one of its end."""
        seq = self.next[side] if seq is None else seq
        self.ticks += 1
        self.tsval[side], self.ip_id[side] = 1000 + self.ticks // 8, self.ip_id[side] + 1
        times = struct.pack(">II", self.tsval[side], self.tsval[not side])
        options = b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + times + b"\x01\x03\x03\x0e" if flags & SYN else (
            b"\x01\x01\x08\x0a" + times)
        ports, hosts = (40000, 80), (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
        tcp = struct.pack(">HHIIBBHHH", ports[side], ports[not side], seq, self.next[not side] if flags & ACK else 0,
                          (20 + len(options)) // 4 << 4, flags, 65535, 0, 0) + options
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + payload, self.ip_id[side] & 0xFFFF, 0x4000, 64, 6, 0)
        frame = bytes(12) + b"\x08\0" + ip + hosts[side] + hosts[not side] + tcp + bytes(payload)
        self.len = len(frame)
        self.machine.store(self.room, len(frame), int.from_bytes(frame, "little"))
        self.machine.now_ns += 40000
        self.next[side] = max(self.next[side], seq + payload + (flags & SYN) // SYN)
        return self.machine.run(self.program, self.context, self.context_field)


def set_up(binary):
    """A machine as the programs find it: usual configuration, and two tables of four buckets."""
    buckets, ways = 4, 15
    machine = Machine(binary, {name: buckets if name.endswith("tags") else buckets * ways
                               for name in ("flow_tags", "flows", "half_open_tags", "half_open")})
    about, config = machine.contents["tables"], machine.variable("config")
    draw = random.Random(1)
    for i in range(6):
        machine.store(about + 8 * i, 8, draw.getrandbits(64))
    for member in ("flow_buckets", "half_open_buckets"):
        machine.store(about + binary.offset("table_about", member), 4, buckets)
    for member, seconds in (("idle_timeout_ns", 3600), ("half_open_timeout_ns", 300), ("closed_timeout_ns", 5)):
        machine.store(config + binary.offset("monitor_config", member), 8, seconds * 10 ** 9)
    return machine


def mean(values):
    return round(sum(values) / len(values))


def measure(connection):
    """Instructions by kind of packet, and where those of data are."""
    steps, where = {}, collections.Counter()
    steps["syn"] = connection.send(CLIENT, SYN)
    steps["synack"] = connection.send(SERVER, SYN | ACK)
    steps["promote"] = connection.send(CLIENT, ACK)
    data, acks, holes, repeats = [], [], [], []
    for i in range(400):
        data.append(connection.send(i & 1, PSH | ACK, PAYLOAD))
        if i >= 240:  # by then each end has so many samples that they go into a histogram
            where.update(connection.machine.steps)
    for i in range(40):
        connection.send(CLIENT, PSH | ACK, PAYLOAD)
        acks.append(connection.send(SERVER, ACK))
    for i in range(40):
        first = connection.next[CLIENT]
        holes.append(connection.send(CLIENT, PSH | ACK, PAYLOAD, first + PAYLOAD))
        holes.append(connection.send(CLIENT, PSH | ACK, PAYLOAD, first))
        connection.send(SERVER, ACK)
    for i in range(40):
        first = connection.next[CLIENT]
        connection.send(CLIENT, PSH | ACK, PAYLOAD)
        connection.machine.now_ns += 300000000
        repeats.append(connection.send(CLIENT, PSH | ACK, PAYLOAD, first))
        connection.send(SERVER, ACK)
    steps["data"], steps["ack"] = mean(data[240:]), mean(acks)
    steps["hole"], steps["repeat"] = mean(holes), mean(repeats)
    return steps, {place: count / 160 for place, count in where.items()}


def verify(binary, machine):
    """Was it what we meant? Else the figures mean nothing."""
    size = machine.maps["counters"][2]
    seen, tracked = (sum(machine.load(machine.contents["counters"] + door * size + 8 * i, 8) for door in range(3))
                     for i in (0, 1))
    rare = [machine.copy(address, machine.maps["rares"][2]) for address in machine.contents["rares"].values()]
    again = sum(struct.unpack_from("<I", r, binary.offset("rare", "retransmitted_segments"))[0] for r in rare)
    if seen != tracked or seen != 3 + 400 + 80 + 120 + 120 or again != 40:
        sys.exit("steps.py: %d frames seen, %d tracked, %d sent again: not what was sent" % (seen, tracked, again))


def function_of(cache, path, line):
    """The function of the source that a line is in, by its first column."""
    if path not in cache:
        cache[path], name = [], "?"
        for text in open(path, encoding="utf-8") if os.path.exists(path) else ():
            begins = re.match(r"(?:core_\w+|static|__attribute__|int|__u\d+|void|struct|enum)\b.*?(\w+)\((?!\()", text)
            if begins and not text.rstrip().endswith(";"):
                name = re.search(r"core_body\((\w+)\)", text)[1] if begins[1] == "core_body" else begins[1]
            cache[path].append(name)
    return cache[path][line - 1] if 0 < line <= len(cache[path]) else "?"


def main():
    options, paths = getopt.getopt(sys.argv[1:], "xv")
    options = dict(options)
    binary = Object(paths[0] if paths else "build/monitor.bpf.o")
    machine = set_up(binary)
    steps, where = measure(Connection(machine, "ackmon_xdp" if "-x" in options else "ackmon_egress"))
    verify(binary, machine)
    for kind, count in steps.items():
        print("%-8s %5d" % (kind, count))
    if "-v" not in options:
        return
    cache, functions = {}, collections.Counter()
    for (section, at), count in where.items():
        path, line = binary.line(section, at)
        functions[os.path.basename(path), function_of(cache, path, line)] += count
    for (path, name), count in functions.most_common():
        print("  %6.1f  %s: %s" % (count, path, name))


if __name__ == "__main__":
    main()
