#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes the captures in pcaps/ that real stacks do not give: the same bytes on every run.

usage: make_captures.py [--check] [NAME...]

Each function of the table at the end writes one file named after it. --check writes nothing and
exits with 1 when a file differs from what would be written.
"""

import gzip
import ipaddress
import os
import struct
import sys

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "pcaps")

FIN, SYN, RST, PSH, ACK, ECE, CWR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x40, 0x80
ETHERNET, RAW, NULL, COOKED, COOKED2, WIFI, USER0 = 1, 101, 0, 113, 276, 105, 147
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
MSS_1460 = struct.pack("!BBH", 2, 4, 1460)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b"", options=b"", window=60000, doff=None, ae=False):
    options += b"\1" * (-len(options) % 4)
    doff = 5 + len(options) // 4 if doff is None else doff
    header = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                         doff << 4 | ae, flags, window, 0, 0)
    segment = header + options + payload
    addresses = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    total = checksum(addresses + struct.pack("!II", len(segment), 6) + segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def ipv4(src, dst, payload, ident=0, options=b"", fragment=0, proto=6, total=None, version=4,
         ihl=None):
    options += b"\0" * (-len(options) % 4)
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    header = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, total, ident, fragment, 64, proto, 0,
                         ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed)
    header += options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(src, dst, payload, extensions=(), length=None):
    """extensions: (protocol number, the header's bytes from its second one on), outermost first."""
    chain, after = b"", 6
    for number, body in reversed(extensions):
        chain = bytes([after]) + body + chain
        after = number
    length = len(chain) + len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, length, after, 64) + ipaddress.ip_address(src).packed + \
        ipaddress.ip_address(dst).packed + chain + payload


def ethernet(packet, tags=(), pad=False):
    eth_type = 0x86DD if packet and packet[0] >> 4 == 6 else 0x0800
    frame = bytes.fromhex("020000000002020000000001")
    for tag_type, vlan in tags:
        frame += struct.pack("!HH", tag_type, vlan)
    frame += struct.pack("!H", eth_type) + packet
    return frame.ljust(60, b"\0") if pad else frame


class Capture:
    """Frames and their times, written as one kind of file."""

    def __init__(self):
        self.frames = []  # (time_ns, captured bytes, length on the wire)

    def add(self, time_ns, data, wire=None):
        self.frames.append((START_NS + time_ns, data, len(data) if wire is None else wire))

    def pcap(self, link=ETHERNET, nano=False, big_endian=False, snaplen=65535):
        order = ">" if big_endian else "<"
        unit = 1 if nano else 1000
        out = bytearray(struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0,
                                    snaplen, link))
        for time_ns, data, wire in self.frames:
            cut = data[:snaplen]
            out += struct.pack(order + "IIII", time_ns // 10**9, time_ns % 10**9 // unit, len(cut),
                               wire) + cut
        return bytes(out)


class Connection:
    """Two ends that know where they are in sequence space. Offsets count from the SYN."""

    def __init__(self, capture, addresses=("10.0.0.1", "10.0.0.2"), ports=(40000, 80),
                 isn=(1000, 5000), dress=ethernet, at_ms=0):
        self.capture, self.addresses, self.ports, self.dress = capture, addresses, ports, dress
        self.isn = isn
        self.next = [0, 0]  # offset behind the last octet sent
        self.now = at_ms * MS
        self.ident = [100, 9000]

    def segment(self, side, flags, payload=0, seq=None, ack=None, **more):
        """seq: offset, default is the next one; moves the end's next forward."""
        seq = self.next[side] if seq is None else seq
        ack = self.next[1 - side] if ack is None else ack
        length = payload + bool(flags & SYN) + bool(flags & FIN)
        self.next[side] = max(self.next[side], seq + length)
        return tcp(self.addresses[side], self.addresses[1 - side], self.ports[side],
                   self.ports[1 - side], self.isn[side] + seq,
                   self.isn[1 - side] + ack if flags & ACK else 0, flags, b"x" * payload, **more)

    def wrap(self, side, segment, **more):
        src, dst = self.addresses[side], self.addresses[1 - side]
        if ":" in src:
            return ipv6(src, dst, segment, **more)
        self.ident[side] += 1
        return ipv4(src, dst, segment, ident=more.pop("ident", self.ident[side]), **more)

    def send(self, side, flags, payload=0, after_ms=1, ip=None, **more):
        self.now += int(after_ms * MS)
        packet = self.wrap(side, self.segment(side, flags, payload, **more), **(ip or {}))
        self.capture.add(self.now, self.dress(packet))
        return packet

    def open(self):
        self.send(0, SYN, options=MSS_1460)
        self.send(1, SYN | ACK, options=MSS_1460, after_ms=10)
        self.send(0, ACK)

    def close(self):
        self.send(0, FIN | ACK)
        self.send(1, FIN | ACK, after_ms=10)
        self.send(0, ACK)

    def exchange(self, rounds=2, payload=500):
        for _ in range(rounds):
            self.send(0, PSH | ACK, payload)
            self.send(1, PSH | ACK, payload * 2, after_ms=10)
            self.send(0, ACK)

    def whole(self):
        self.open()
        self.exchange()
        self.close()


def simple(**how):
    capture = Capture()
    Connection(capture, **how).whole()
    return capture


# Sequence space and openings

def sequence_wrap():
    """Both ends cross 2^32; one segment that crosses it is sent twice."""
    capture = Capture()
    c = Connection(capture, isn=(2**32 - 1500, 2**32 - 700))
    c.open()
    for _ in range(4):
        c.send(0, PSH | ACK, 500)
    c.send(0, PSH | ACK, 500, seq=1001, after_ms=300)
    c.send(1, ACK, after_ms=10)
    c.exchange()
    c.close()
    return capture.pcap()


def midstream():
    """The capture begins when the connection is already running."""
    capture = Capture()
    c = Connection(capture)
    c.next = [10000, 20000]
    c.exchange(3)
    c.close()
    return capture.pcap()


def midstream_lone():
    """A single segment of a connection nobody saw anything else of."""
    capture = Capture()
    Connection(capture).send(0, PSH | ACK, 100, seq=10000, ack=5000)
    return capture.pcap()


def simultaneous_open():
    """Both ends send SYN before they see the other's (RFC 9293, 3.5)."""
    capture = Capture()
    c = Connection(capture, ports=(40000, 50000))
    c.send(0, SYN, options=MSS_1460)
    c.send(1, SYN, options=MSS_1460)
    c.send(0, SYN | ACK, seq=0, ack=1, after_ms=10)
    c.send(1, SYN | ACK, seq=0, ack=1)
    c.exchange()
    c.close()
    return capture.pcap()


def syn_data():
    """Payload on the SYN (TCP Fast Open, RFC 7413)."""
    capture = Capture()
    c = Connection(capture)
    cookie = bytes([34, 10]) + bytes(range(8))
    c.send(0, SYN, 200, options=MSS_1460 + cookie)
    c.send(1, SYN | ACK, options=MSS_1460, after_ms=10)
    c.send(0, ACK)
    c.exchange()
    c.close()
    return capture.pcap()


def syn_flood():
    """200 SYNs from everywhere, and one real connection in the middle of them."""
    capture = Capture()
    for i in range(200):
        source = f"198.51.{i // 100}.{i % 100 + 1}"
        Connection(capture, (source, "10.0.0.2"), (1024 + i * 7, 80), (i * 99991, 0),
                   at_ms=i).send(0, SYN, options=MSS_1460)
    Connection(capture, at_ms=90).whole()
    capture.frames.sort(key=lambda frame: frame[0])
    return capture.pcap()


def fin_again_late():
    """Each ACK of the last FIN is lost behind here: it comes again, at last 6.4 s after both ends had closed."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.exchange()
    c.close()
    for wait_ms in (200, 400, 800, 1600, 3200, 6400):
        c.send(1, FIN | ACK, seq=c.next[1] - 1, after_ms=wait_ms)
        c.send(0, ACK)
    return capture.pcap()


def synack_reset():
    """The opener answers the SYN-ACK with a RST."""
    capture = Capture()
    c = Connection(capture)
    c.send(0, SYN, options=MSS_1460)
    c.send(1, SYN | ACK, options=MSS_1460, after_ms=10)
    c.send(0, RST)
    return capture.pcap()


def abandoned():
    """The SYN-ACK is sent three times and never acknowledged."""
    capture = Capture()
    c = Connection(capture)
    c.send(0, SYN, options=MSS_1460)
    for wait_ms in (10, 1000, 2000):
        c.send(1, SYN | ACK, seq=0, options=MSS_1460, after_ms=wait_ms)
    return capture.pcap()


def reuse_unclosed():
    """The same tuple again with a new initial sequence number; the first never said goodbye."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.exchange()
    Connection(capture, isn=(900000, 800000), at_ms=120000).whole()
    return capture.pcap()


def forged_syn():
    """Somebody sends a SYN in the opener's name; the responder challenges it, and all goes on."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.exchange()
    forged = Connection(capture, isn=(900000, 0))
    forged.now = c.now
    forged.send(0, SYN, options=MSS_1460)
    c.now = forged.now
    c.send(1, ACK)
    c.exchange()
    c.close()
    return capture.pcap()


def challenged_syn():
    """The responder still knows an older connection of the tuple: it challenges the SYN, is reset, and answers the next one."""
    capture = Capture()
    c = Connection(capture)
    c.send(0, SYN, options=MSS_1460)
    c.send(1, ACK, seq=700000, ack=4000000, after_ms=10)
    c.send(0, RST, seq=4000000)
    c.next = [1, 0]
    c.send(0, SYN, seq=0, options=MSS_1460, after_ms=1000)
    c.send(1, SYN | ACK, options=MSS_1460, after_ms=10)
    c.send(0, ACK)
    c.exchange()
    c.close()
    return capture.pcap()


def accurate_ecn():
    """Accurate ECN (RFC 9768): the three flags count from 5 up, and ECE is set before anything was marked."""
    capture = Capture()
    c = Connection(capture)
    five = {"ae": True}
    c.send(0, SYN | CWR | ECE, options=MSS_1460, **five)
    c.send(1, SYN | ACK | CWR, options=MSS_1460, after_ms=10)
    c.send(0, ACK | CWR)
    for _ in range(3):
        c.send(0, PSH | ACK | ECE, 500, **five)
        c.send(1, PSH | ACK | ECE, 1000, after_ms=10, **five)
        c.send(0, ACK | ECE, **five)
    c.send(0, FIN | ACK | ECE, **five)
    c.send(1, FIN | ACK | ECE, after_ms=10, **five)
    c.send(0, ACK | ECE, **five)
    return capture.pcap()


def reuse_alive():
    """The opener has forgotten the connection, opens it again, and the responder goes along."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.exchange()
    Connection(capture, isn=(900000, 800000), at_ms=500).whole()
    return capture.pcap()


def forged_reset():
    """A reset far outside the window: nobody believes it, and all goes on."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.exchange()
    c.send(1, RST, seq=c.next[1] + 500_000_000)
    for _ in range(3):
        c.exchange()
    c.close()
    return capture.pcap()


def reset_in_window():
    """A reset a little ahead, and one that answers an older segment, are believed: what is between may not have passed here."""
    capture = Capture()
    for port, ahead in ((40000, 1000), (40001, 60000), (40002, -200)):
        c = Connection(capture, ports=(port, 80), at_ms=(port - 40000) * 100)
        c.open()
        c.exchange()
        c.send(1, RST, seq=c.next[1] + ahead)
    return capture.pcap()


# Sent again, or not

def mirror_copies():
    """A mirror port shows each packet twice: same bytes, same IP-ID, 2 us apart."""
    capture = simple()
    capture.frames = [(time + late, data, wire) for time, data, wire in capture.frames
                      for late in (0, 2000)]
    return capture.pcap()


def keepalive_byte():
    """Keepalives of one old octet, as some stacks send them."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.exchange()
    for _ in range(3):
        c.send(0, ACK, 1, seq=c.next[0] - 1, after_ms=5000)
        c.send(1, ACK, after_ms=10)
    c.close()
    return capture.pcap()


def window_probe():
    """One new octet offered to a closed window, then taken."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.send(0, PSH | ACK, 1000)
    c.send(1, ACK, window=0, after_ms=10)
    for wait_ms in (300, 600):
        c.send(0, ACK, 1, seq=1001, after_ms=wait_ms)
        c.send(1, ACK, ack=1001, window=0, after_ms=10)
    c.send(1, ACK, ack=1001, after_ms=500)
    c.send(0, PSH | ACK, 1000, seq=1001)
    c.send(1, ACK, after_ms=10)
    c.close()
    return capture.pcap()


def capture_gap():
    """Acknowledged, but never seen here: lost by the capture, not by the network."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.send(0, ACK, 1000)
    c.send(0, ACK, 1000, seq=2001)
    c.send(1, ACK, after_ms=10)
    c.exchange()
    c.close()
    return capture.pcap()


def holes_70():
    """Every other segment is missing: six holes more than are remembered; then all come."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    for i in range(70):
        c.send(0, ACK, 100, seq=1 + 200 * i + 100, after_ms=0.01)
    for i in range(70):
        c.send(0, ACK, 100, seq=1 + 200 * i, after_ms=0.01 if i else 250)
    c.send(1, ACK, after_ms=10)
    c.close()
    return capture.pcap()


# Headers around TCP

def vlan():
    return simple(dress=lambda p: ethernet(p, [(0x8100, 42)])).pcap()


def qinq():
    return simple(dress=lambda p: ethernet(p, [(0x88A8, 7), (0x8100, 42)])).pcap()


def vlan_deep():
    """Five tags: one more than is read."""
    tags = [(0x88A8, 7), (0x88A8, 8), (0x8100, 42), (0x8100, 43), (0x8100, 44)]
    return simple(dress=lambda p: ethernet(p, tags)).pcap()


def tunnels():
    """Five connections: in VXLAN, in GRE with a key, in VXLAN over GRE, in IPIP, and one in none of them."""
    def udp(payload):
        return struct.pack("!HHHH", 50000, 4789, 8 + len(payload), 0) + payload

    def vxlan(packet):
        return udp(struct.pack("!II", 1 << 27, 77 << 8) + ethernet(packet))

    def gre(packet):
        return struct.pack("!HHI", 0x2000, 0x0800, 0xFFFFFFFE) + packet

    def outer(payload, proto):
        return ipv4("192.0.2.1", "192.0.2.2", payload, proto=proto)
    capture = Capture()
    for number, wrap in enumerate((lambda p: outer(vxlan(p), 17), lambda p: outer(gre(p), 47),
                                   lambda p: outer(gre(outer(vxlan(p), 17)), 47), lambda p: outer(p, 4), lambda p: p)):
        Connection(capture, ports=(40000 + number, 80), at_ms=100 * number,
                   dress=lambda p, wrap=wrap: ethernet(wrap(p))).whole()
    return capture.pcap()


def ethernet_padding():
    """Short frames filled up to 60 bytes: the filling is no payload."""
    return simple(dress=lambda p: ethernet(p, pad=True)).pcap()


def ipv4_options():
    """Router alert and record route before TCP."""
    capture = Capture()
    c = Connection(capture)
    options = bytes([148, 4, 0, 0, 7, 7, 4, 10, 0, 0, 9])
    wrap = c.wrap
    c.wrap = lambda side, segment: wrap(side, segment, options=options)
    c.whole()
    return capture.pcap()


V6 = ("2001:db8::1", "2001:db8::2")
HOP_BY_HOP = (0, bytes([0, 1, 4, 0, 0, 0, 0]))
DESTINATION = (60, bytes([0, 1, 4, 0, 0, 0, 0]))
ROUTING = (43, bytes([0, 253, 0, 0, 0, 0, 0]))


def ipv6_extensions():
    """Hop-by-hop, routing and destination options before TCP."""
    capture = Capture()
    c = Connection(capture, V6)
    wrap = c.wrap
    c.wrap = lambda side, segment: wrap(side, segment, extensions=(HOP_BY_HOP, ROUTING, DESTINATION))
    c.whole()
    return capture.pcap()


def ipv6_chain():
    """Twenty destination options headers in a row, then TCP: nobody has to follow that."""
    capture = Capture()
    c = Connection(capture, V6)
    c.open()
    c.send(0, PSH | ACK, 100, ip={"extensions": (DESTINATION,) * 20})
    c.close()
    return capture.pcap()


def fragments():
    """Data in three IPv4 fragments, the first with the TCP header; then a first one alone."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    segment = c.segment(0, PSH | ACK, 1200)
    for start in (0, 480, 960):
        part = segment[start:start + 480]
        more = 0x2000 if start + 480 < len(segment) else 0
        c.now += MS
        capture.add(c.now, ethernet(ipv4(*c.addresses, part, ident=77, fragment=more | start // 8)))
    c.send(1, ACK, after_ms=10)
    c.close()
    return capture.pcap()


def fragments_ipv6():
    capture = Capture()
    c = Connection(capture, V6)
    c.open()
    segment = c.segment(0, PSH | ACK, 1200)
    for start in (0, 480, 960):
        part = segment[start:start + 480]
        more = 1 if start + 480 < len(segment) else 0
        c.now += MS
        fragment = (44, struct.pack("!BHI", 0, start | more, 77))
        capture.add(c.now, ethernet(ipv6(*V6, part, extensions=[fragment])))
    c.send(1, ACK, after_ms=10)
    c.close()
    return capture.pcap()


def other_protocols():
    """ARP, UDP, ICMP and something unknown between the segments of one connection."""
    capture = simple()
    ends = ("10.0.0.1", "10.0.0.2")
    arp = ethernet(b"")[:12] + bytes.fromhex("0806000108000604000102000000000a0a000001") + bytes(14)
    others = [arp, ethernet(ipv4(*ends, bytes(8), proto=17)), ethernet(ipv4(*ends, bytes(8), proto=1)),
              ethernet(b"")[:12] + b"\x88\xb5" + bytes(46)]
    for i, frame in enumerate(others):
        capture.add(i * 10 * MS, frame)
    capture.frames.sort(key=lambda frame: frame[0])
    return capture.pcap()


def malformed():
    """Headers that cannot be, one kind a frame, between the segments of one good connection."""
    capture = Capture()
    good = Connection(capture)
    good.open()
    ends, ports = ("10.0.0.3", "10.0.0.4"), (1234, 80)
    ends6 = ("2001:db8::3", "2001:db8::4")
    segment = tcp(*ends, *ports, 1, 1, ACK, b"x" * 100)
    segment6 = tcp(*ends6, *ports, 1, 1, ACK, b"x" * 100)
    frames = [
        ethernet(ipv4(*ends, segment, version=5)),           # says IPv4 outside, 5 inside
        ethernet(ipv4(*ends, segment, ihl=4)),               # IP header shorter than an IP header
        (ethernet(ipv4(*ends, segment, ihl=15)), 50),        # options beyond what was captured
        ethernet(ipv4(*ends, segment, total=19)),            # total length inside the IP header
        ethernet(ipv4(*ends, segment, total=30)),            # total length inside the TCP header
        ethernet(ipv4(*ends, segment, total=5000)),          # total length beyond the frame
        ethernet(ipv4(*ends, tcp(*ends, *ports, 1, 1, ACK, b"x" * 100, doff=4))),
        ethernet(ipv4(*ends, tcp(*ends, *ports, 1, 1, ACK, b"", doff=15))),
        ethernet(ipv4(*ends, segment))[:10],                 # not even an Ethernet header
        (ethernet(ipv4(*ends, segment)), 44),                # cut inside the TCP header
        ethernet(b""),                                       # an EtherType and nothing behind it
        ethernet(ipv6(*ends6, segment6, length=5000)),
        ethernet(ipv6(*ends6, segment6, length=10)),
        (ethernet(ipv6(*ends6, segment6)), 40),
        ethernet(ipv6(*ends6, b"", extensions=[(60, bytes([255]) + bytes(6))])),
        ethernet(ipv4(*ends, tcp(*ends, *ports, 1, 1, ACK, options=bytes([2, 0, 8, 1])))),
        ethernet(ipv4(*ends, tcp(*ends, *ports, 1, 1, SYN, options=bytes([2, 40, 5, 180])))),
    ]
    for frame in frames:
        frame, captured = frame if isinstance(frame, tuple) else (frame, len(frame))
        good.now += MS
        capture.add(good.now, frame[:captured], len(frame))
    good.close()
    return capture.pcap()


def ip_length_zero():
    """Total length 0: a frame larger than IPv4 can say (segmentation offload). The frame's own counts."""
    capture = Capture()
    c = Connection(capture)
    c.open()
    c.send(0, PSH | ACK, 4380, ip={"total": 0})
    c.send(1, ACK, after_ms=10)
    c.close()
    return capture.pcap()


def cut_short():
    """Every frame cut to 68 bytes: lengths come from the headers, not from what was captured."""
    return simple().pcap(snaplen=68)


# Kinds of files

def nanoseconds():
    capture = Capture()
    c = Connection(capture)
    c.now = 1
    c.whole()
    return capture.pcap(nano=True)


def big_endian():
    return simple().pcap(big_endian=True)


def raw_ip():
    capture = Capture()
    Connection(capture, dress=bytes).whole()
    Connection(capture, V6, dress=bytes, at_ms=1000).whole()
    return capture.pcap(link=RAW)


def loopback_null():
    capture = Capture()
    Connection(capture, dress=lambda p: struct.pack("<I", 2) + p).whole()
    Connection(capture, V6, dress=lambda p: struct.pack("<I", 30) + p, at_ms=1000).whole()
    return capture.pcap(link=NULL)


def cooked():
    head = bytes.fromhex("0000000100060200000000010000")
    return simple(dress=lambda p: head + b"\x08\x00" + p).pcap(link=COOKED)


def cooked2():
    head = bytes.fromhex("080000000000000200010006") + bytes(8)
    return simple(dress=lambda p: head + p).pcap(link=COOKED2)


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def two_interfaces():
    """pcapng: one interface counts microseconds, the other nanoseconds; the same path on both."""
    capture = simple()
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for resolution in (6, 9):
        option = struct.pack("<HHB3xHH", 9, 1, resolution, 0, 0)
        out += block(1, struct.pack("<HHI", ETHERNET, 0, 65535) + option)
    for i, (time_ns, data, wire) in enumerate(capture.frames):
        stamp = time_ns if i % 2 else time_ns // 1000
        out += block(6, struct.pack("<IIIII", i % 2, stamp >> 32, stamp & 0xFFFFFFFF, len(data),
                                    wire) + data)
    return out


def mixed_links():
    """pcapng: Ethernet, Linux cooked, raw IP, and an interface of a link type that is not supported."""
    capture = simple(dress=lambda p: p)
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link in (ETHERNET, COOKED, RAW, USER0):
        out += block(1, struct.pack("<HHI", link, 0, 65535))
    for i, (time_ns, data, _) in enumerate(capture.frames):
        stamp, link = time_ns // 1000, i % 3
        data = (ethernet(data), bytes(14) + ethernet(data)[12:], data)[link]
        for number, shown in ((link, data),) if i else ((link, data), (3, b"USB or so")):
            out += block(6, struct.pack("<IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF,
                                        len(shown), len(shown)) + shown)
    return out


def packed():
    return gzip.compress(simple().pcap(), mtime=0)


def cut_off():
    """The last record ends before its bytes do."""
    return simple().pcap()[:-20]


def damaged():
    """The eighth record claims 4294967295 bytes."""
    capture = simple()
    good = Capture()
    good.frames = capture.frames[:7]
    return good.pcap() + struct.pack("<IIII", 1700000001, 0, 0xFFFFFFFF, 60) + bytes(200)


def empty():
    return b""


def header_cut():
    return Capture().pcap()[:10]


def no_frames():
    return Capture().pcap()


def not_a_capture():
    return b"This is a letter, not a capture.\n"


def wifi():
    """IEEE 802.11 data frames of an access point, as they are without radiotap."""
    header = struct.pack("<HH", 0x0208, 0) + bytes.fromhex("020000000001" * 3) + bytes(2)
    snap = bytes.fromhex("aaaa03000000")
    return simple(dress=lambda p: header + snap + ethernet(p)[12:]).pcap(link=WIFI)


def unknown_link():
    """A link type that is not supported."""
    return simple().pcap(link=USER0)


SUFFIX = {"two_interfaces": "pcapng", "mixed_links": "pcapng", "packed": "pcap.gz", "not_a_capture": "txt"}
MAKERS = [
    sequence_wrap, midstream, midstream_lone, simultaneous_open, syn_data, syn_flood, synack_reset,
    abandoned, reuse_unclosed, forged_syn, forged_reset, reset_in_window, fin_again_late, challenged_syn, accurate_ecn, reuse_alive, mirror_copies, keepalive_byte, window_probe, capture_gap, holes_70,
    vlan, qinq, vlan_deep, tunnels, ethernet_padding, ipv4_options, ipv6_extensions, ipv6_chain, fragments,
    fragments_ipv6, other_protocols, malformed, ip_length_zero, cut_short, nanoseconds, big_endian,
    raw_ip, loopback_null, cooked, cooked2, two_interfaces, mixed_links, packed, cut_off, damaged, empty,
    header_cut, no_frames, not_a_capture, wifi,
    unknown_link,
]


def same(path, data):
    """Releases of zlib pack differently; what is packed has to be the same."""
    with open(path, "rb") as file:
        there = file.read()
    return there == data or path.endswith(".gz") and gzip.decompress(there) == gzip.decompress(data)


def main(arguments):
    check = "--check" in arguments
    names = [name for name in arguments if name != "--check"]
    differing = []
    for maker in MAKERS:
        name = maker.__name__
        if names and name not in names:
            continue
        path = os.path.join(OUT, f"{name}.{SUFFIX.get(name, 'pcap')}")
        data = maker()
        if check:
            if not same(path, data):
                differing.append(path)
        else:
            with open(path, "wb") as file:
                file.write(data)
    for path in differing:
        print(f"{path}: differs from what make_captures.py makes", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
