#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two TCP stacks and a path between them, simulated: captures of which the class of each packet is known.

A tap lies on the path. Of each packet that passes it the simulator knows whether it is an original or was sent
again, and whether the network doubled it; so it knows what a perfect observer would say. Stacks differ in
what they write on their packets and in how they repair, ways in delay, loss, order and doubles.
"""
import collections
import heapq
import random
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
US, MS, S = 1000, 1000 * 1000, 1000 * 1000 * 1000
START_NS = 1_700_000_000 * S

# tick_ns: of the timestamps' clock, 0 without; ip_id: count, zero, random, shared (with other connections);
# repair: rack (RFC 8985, with SACK) or newreno (RFC 6582); ack_ns: how long an ACK is held back.
Stack = collections.namedtuple('Stack', 'family tick_ns ip_id repair mss wscale ack_ns rto_ns tlp')
# Each way has a half before the tap and one behind it.
Half = collections.namedtuple('Half', 'delay_ns loss overtaken overtaken_ns double double_ns', defaults=(
    5 * MS, 0, 0, 0, 0, 0))

LINUX = Stack(4, MS, 'count', 'rack', 1448, 7, 40 * MS, 200 * MS, True)
LINUX6 = LINUX._replace(family=6, ip_id='zero')
WINDOWS = Stack(4, 0, 'count', 'rack', 1460, 8, 40 * MS, 300 * MS, True)
BSD = Stack(4, MS, 'random', 'newreno', 1448, 6, 100 * MS, 230 * MS, False)
BARE = Stack(4, 0, 'zero', 'newreno', 1460, 0, 200 * MS, 300 * MS, False)
BARE6 = BARE._replace(family=6)
SLOW_CLOCK = LINUX._replace(tick_ns=10 * MS, ip_id='zero')
SHARED_ID = LINUX._replace(tick_ns=0, ip_id='shared')


class Packet:
    """One on its way."""

    def __init__(self, end, seq, length, flags, again=False):
        self.end, self.seq, self.length, self.flags, self.again = end, seq, length, flags, again
        self.ack, self.window, self.tsval, self.tsecr, self.sack, self.ip_id = 0, 0, 0, 0, (), 0
        self.payload = length - bool(flags & SYN) - bool(flags & FIN)
        self.probe = False
        self.options = b''
        self.sent_ns = 0


class Sent:
    """What an end has sent and is not acknowledged."""

    def __init__(self, seq, length, flags):
        self.seq, self.length, self.flags = seq, length, flags
        self.sent_ns, self.order, self.times = 0, 0, 0
        self.sacked = self.lost = False


class End:
    """A stack; sequence numbers are offsets from the one of its SYN."""

    WINDOW = 4 << 20

    def __init__(self, world, number, stack, to_send, isn):
        self.world, self.number, self.stack, self.to_send, self.isn = world, number, stack, to_send, isn
        self.next, self.una, self.sent, self.cwnd = 0, 0, [], 10.0
        self.order, self.delivered_order, self.delivered_ns = 0, 0, 0
        self.recover, self.dup_acks, self.srtt_ns, self.min_rtt_ns = None, 0, 0, 0
        self.backoff, self.timer, self.probed = 0, 0, False
        self.expected, self.beyond, self.recent_sack, self.dsack = None, [], None, None
        self.unacked, self.ack_timer, self.ts_recent = 0, 0, 0
        self.counter = world.random.randrange(65536)
        self.clock = world.random.randrange(1 << 32)
        self.closed, self.established, self.peer_fin = False, False, False

    # ------------------------------------------------------------ packets

    def tsval(self):
        return (self.clock + self.world.now // self.stack.tick_ns) & 0xffffffff

    def ip_id(self):
        kind = self.stack.ip_id
        if kind == 'zero':
            return 0
        if kind == 'random':
            return self.world.random.randrange(1, 65536)
        self.counter += 1 if kind == 'count' else self.world.random.randrange(1, 400)
        return self.counter % 65535 + 1

    def emit(self, packet):
        if self.expected is not None:
            packet.flags |= ACK
            packet.ack = self.expected
        packet.window = min(self.WINDOW >> (0 if packet.flags & SYN else self.stack.wscale), 65535)
        packet.ip_id = self.ip_id()
        if self.stack.tick_ns:
            packet.tsval, packet.tsecr = self.tsval(), self.ts_recent
        if self.stack.repair == 'rack' and not packet.flags & SYN:
            packet.sack = self.blocks()
        self.unacked, self.ack_timer = 0, self.ack_timer + 1
        packet.sent_ns = self.world.now
        self.world.carry(packet)

    def blocks(self):
        blocks = [self.dsack] if self.dsack else []
        self.dsack = None
        newest = [b for b in self.beyond if self.recent_sack and b[0] <= self.recent_sack < b[1]]
        return tuple((blocks + newest + [b for b in self.beyond if b not in newest])[:3])

    def push(self, item):
        again = item.times > 0
        item.times += 1
        item.sent_ns, item.lost = self.world.now, False
        self.order += 1
        item.order = self.order
        self.emit(Packet(self.number, item.seq, item.length, item.flags, again))

    # ------------------------------------------------------------ sending

    def flight(self):
        return sum(1 for item in self.sent if not item.sacked and not item.lost)

    def connect(self):
        self.new(1, SYN)
        self.arm()

    def new(self, length, flags):
        item = Sent(self.next, length, flags)
        self.sent.append(item)
        self.next += length
        self.push(item)

    def pump(self):
        if not self.established:
            return
        for item in [item for item in self.sent if item.lost]:
            if self.flight() >= max(self.cwnd, 1):
                break
            self.push(item)
        while self.to_send and self.flight() < self.cwnd and self.next - self.una < self.WINDOW:
            length = min(self.to_send, self.stack.mss)
            self.to_send -= length
            self.new(length, PSH if not self.to_send else 0)
        if not self.to_send and not self.closed and self.world.may_close(self):
            self.closed = True
            self.new(1, FIN)
        self.arm()

    def arm(self):
        self.timer += 1
        if not self.sent:
            return
        rto = max(2 * self.srtt_ns, self.stack.rto_ns) if self.srtt_ns else S
        if self.stack.tlp and self.established and not self.probed and self.srtt_ns and not self.recover and \
                not self.backoff:
            wait = min(2 * self.srtt_ns + (self.stack.ack_ns if len(self.sent) == 1 else 2 * MS), rto)
            self.world.at(self.world.now + wait, self.tail_probe, self.timer)
            return
        self.world.at(self.world.now + (rto << self.backoff), self.timeout, self.timer)

    def tail_probe(self, timer):
        if timer != self.timer or not self.sent:
            return
        self.probed = True
        self.push(self.sent[-1])
        self.arm()

    def timeout(self, timer):
        if timer != self.timer or not self.sent or self.backoff > 6:
            return
        self.backoff += 1
        self.cwnd, self.recover, self.dup_acks = 1.0, self.next, 0
        for item in self.sent:
            item.lost = not item.sacked
        self.push(self.sent[0])
        self.arm()

    # ------------------------------------------------------------ acknowledgments

    def acked(self, packet):
        moved = packet.ack > self.una
        for start, end in packet.sack:
            for item in self.sent:
                if start <= item.seq and item.seq + item.length <= end and not item.sacked:
                    item.sacked, item.lost = True, False
                    self.deliver(item)
        if moved:
            gone = [item for item in self.sent if item.seq + item.length <= packet.ack]
            for item in gone:
                if not item.sacked:
                    self.deliver(item)
            self.sent = [item for item in self.sent if item.seq + item.length > packet.ack]
            self.una, self.backoff, self.probed, self.dup_acks = packet.ack, 0, False, 0
            self.cwnd = min(self.cwnd + (1 if self.recover is None else 0.1) * len(gone), 80)
            if self.recover is not None and self.una >= self.recover:
                self.recover = None
            elif self.recover is not None and self.stack.repair == 'newreno' and self.sent:
                # It asks for what was sent before what it acknowledges, not for what a timer has just sent again.
                self.sent[0].lost = self.sent[0].times == 1 or \
                    self.world.now - self.sent[0].sent_ns >= self.min_rtt_ns
        elif packet.ack == self.una and not packet.length and self.sent:
            self.dup_acks += 1
            if self.stack.repair == 'newreno' and self.dup_acks == 3 and self.recover is None:
                self.reduce()
                self.sent[0].lost = True
            elif self.dup_acks > 3:
                self.cwnd = min(self.cwnd + 1, 80)
        if self.stack.repair == 'rack':
            self.rack()
        self.pump()

    def deliver(self, item):
        if item.times == 1:
            rtt = self.world.now - item.sent_ns
            self.srtt_ns = rtt if not self.srtt_ns else (7 * self.srtt_ns + rtt) // 8
            self.min_rtt_ns = min(self.min_rtt_ns or rtt, rtt)
        elif self.min_rtt_ns and self.world.now - item.sent_ns < self.min_rtt_ns:
            return
        if item.order > self.delivered_order:
            self.delivered_order, self.delivered_ns = item.order, item.sent_ns

    def rack(self):
        window = self.min_rtt_ns // 4
        three = sum(item.sacked for item in self.sent) >= 3 and self.recover is None
        for item in self.sent:
            if item.sacked or item.lost or item.order >= self.delivered_order:
                continue
            if item.sent_ns + (0 if three else window) < self.delivered_ns or three and item.times == 1:
                item.lost = True
                if self.recover is None:
                    self.reduce()
            elif not three:
                left = item.sent_ns + self.srtt_ns + window - self.world.now
                self.world.at(self.world.now + max(left, US), self.reorder_timer, item.order)

    def reorder_timer(self, order):
        for item in self.sent:
            if item.order == order and not item.sacked and not item.lost and order < self.delivered_order:
                item.lost = True
                if self.recover is None:
                    self.reduce()
                self.pump()

    def reduce(self):
        self.recover, self.cwnd = self.next, max(self.cwnd / 2, 2)

    # ------------------------------------------------------------ receiving

    def receive(self, packet):
        if self.stack.tick_ns and (self.expected is None or packet.seq <= self.expected):
            self.ts_recent = max(self.ts_recent, packet.tsval)
        if packet.flags & SYN and self.expected is None:
            self.expected = 1
            if not self.sent and not self.next:
                self.new(1, SYN)
                self.arm()
        elif packet.length:
            self.take(packet)
        if packet.flags & ACK:
            self.established |= packet.ack >= 1
            self.acked(packet)
        if packet.flags & SYN and packet.flags & ACK:
            if not self.to_send or self.unacked:
                self.emit(Packet(self.number, self.next, 0, ACK))
        elif self.unacked >= 2:
            self.emit(Packet(self.number, self.next, 0, ACK))
        elif self.unacked:
            self.world.at(self.world.now + self.stack.ack_ns, self.late_ack, self.ack_timer)

    def late_ack(self, timer):
        if timer == self.ack_timer and self.unacked:
            self.emit(Packet(self.number, self.next, 0, ACK))

    def take(self, packet):
        start, end = packet.seq, packet.seq + packet.length
        known = end <= self.expected or any(a <= start and end <= b for a, b in self.beyond)
        if known:
            self.dsack = (start, end)
            self.unacked = 2
            return
        in_order = start <= self.expected
        self.peer_fin |= bool(packet.flags & FIN)
        self.recent_sack = start
        self.beyond = merged(self.beyond + [(start, end)])
        had_holes = len(self.beyond) > 1 or not in_order
        if self.beyond[0][0] <= self.expected:
            self.expected = max(self.expected, self.beyond.pop(0)[1])
        self.unacked = 2 if had_holes or packet.flags & FIN else self.unacked + 1


def merged(ranges):
    out = []
    for start, end in sorted(ranges):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


class Observer:
    """What a perfect one would say of each packet of one direction that passes."""

    def __init__(self):
        self.ranges, self.next, self.passed, self.fixed = [], 0, set(), set()

    def seen(self, start, end):
        return any(a < end and start < b for a, b in self.ranges)

    def tell(self, packet):
        start, end = packet.seq, packet.seq + packet.length
        if not packet.length: # one from ahead shows that something is missing
            self.next = max(self.next, end)
            return ''
        if packet in self.passed:
            told = 'copy'
        elif self.seen(start, end):
            told = 'retransmitted' if packet.again else 'late'
        elif start < self.next:
            told = 'recovered' if packet.again else 'reordered'
        else:
            told = 'unseen' if packet.again else ''
        self.passed.add(packet)
        self.ranges = merged(self.ranges + [(start, end)])
        self.next = max(self.next, end)
        return told


class World:
    """Time, the path, and the tap. ways[end] are the two halves of what that end sends."""

    def __init__(self, seed, stacks, ways, sizes, isn=None, seconds=60, mirror_ns=None):
        self.random = random.Random(seed)
        self.now, self.queue, self.count, self.until = 0, [], 0, seconds * S
        self.ways, self.mirror_ns = ways, mirror_ns
        self.frames = []  # time_ns, packet, what it truly is
        self.observers = Observer(), Observer()
        self.sizes = sizes
        isn = isn or (self.random.randrange(1 << 32), self.random.randrange(1 << 32))
        self.ends = [End(self, end, stacks[end], sizes[end], isn[end]) for end in (0, 1)]
        self.last_out = collections.Counter()

    def at(self, when, what, *arguments):
        self.count += 1
        heapq.heappush(self.queue, (when, self.count, what, arguments))

    def may_close(self, end):
        """The opener when it has all; the responder after it."""
        other = self.ends[1 - end.number]
        if end.number == 0:
            return end.expected is not None and end.expected >= 1 + self.sizes[1]
        return other.closed and end.peer_fin

    def carry(self, packet):
        self.pass_half(packet, 0)

    def pass_half(self, packet, half):
        way = self.ways[packet.end][half]
        if self.random.random() < way.loss:
            return
        out = self.now + way.delay_ns + self.random.randrange(2 * US)
        if self.random.random() < way.overtaken:
            out += way.overtaken_ns
        else: # a queue keeps the order, and needs a moment for each
            out = max(out, self.last_out[packet.end, half] + 1200)
            self.last_out[packet.end, half] = out
        where = self.tapped if half == 0 else self.arrived
        self.at(out, where, packet)
        if self.random.random() < way.double:
            self.at(out + max(way.double_ns, 700), where, packet)

    def tapped(self, packet):
        self.record(packet)
        if self.mirror_ns is not None:
            self.at(self.now + self.mirror_ns, self.record, packet)
        self.pass_half(packet, 1)

    def record(self, packet):
        now = self.now
        if self.frames and now <= self.frames[-1][0]:
            now = self.frames[-1][0] + 1
        self.frames.append((now, packet, self.observers[packet.end].tell(packet)))

    def arrived(self, packet):
        self.ends[1 - packet.end].receive(packet)

    def run(self):
        self.ends[0].connect()
        while self.queue:
            self.now, _, what, arguments = heapq.heappop(self.queue)
            if self.now > self.until:
                break
            what(*arguments)
        return self

    # ------------------------------------------------------------ the capture

    def options(self, packet):
        end, stack = self.ends[packet.end], self.ends[packet.end].stack
        out = b''
        if packet.flags & SYN:
            out += struct.pack('!BBH', 2, 4, stack.mss + (12 if stack.tick_ns else 0))
            if stack.repair == 'rack':
                out += b'\4\2'
            out += struct.pack('!BBB', 3, 3, stack.wscale)
        if stack.tick_ns:
            out += struct.pack('!BBII', 8, 10, packet.tsval, packet.tsecr)
        if packet.sack:
            isn = self.ends[1 - packet.end].isn
            out += struct.pack('!BB', 5, 2 + 8 * len(packet.sack))
            out += b''.join(struct.pack('!II', isn + a & 0xffffffff, isn + b & 0xffffffff)
                            for a, b in packet.sack)
        return out + b'\1' * (-len(out) % 4)

    def frame(self, packet):
        """Ethernet, IP and TCP headers; the payload is on the wire and not in the capture."""
        end, other = self.ends[packet.end], self.ends[1 - packet.end]
        options = self.options(packet)
        ports = (40000, 80) if packet.end == 0 else (80, 40000)
        ack = other.isn + packet.ack & 0xffffffff if packet.flags & ACK else 0
        tcp = struct.pack('!HHIIBBHHH', *ports, end.isn + packet.seq & 0xffffffff, ack,
                          (20 + len(options)) // 4 << 4, packet.flags, packet.window, 0, 0) + options
        addresses = [bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])]
        if end.stack.family == 6:
            addresses = [bytes([0xfd] + [0] * 14 + [n]) for n in (1, 2)]
        if packet.end == 1:
            addresses.reverse()
        if end.stack.family == 4:
            ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(tcp) + packet.payload, packet.ip_id, 0x4000, 64,
                             6, 0)
        else:
            ip = struct.pack('!IHBB', 6 << 28, len(tcp) + packet.payload, 6, 64)
        kind = b'\x08\x00' if end.stack.family == 4 else b'\x86\xdd'
        return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]) + kind + ip + b''.join(addresses) + tcp

    def write(self, path):
        with open(path, 'wb') as file:
            file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
            for when, packet, _ in self.frames:
                data = self.frame(packet)
                when += START_NS
                file.write(struct.pack('<IIII', when // S, when % S, len(data), len(data) + packet.payload))
                file.write(data)
