#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes one small capture for each way a TCP segment can be wrapped, and each way a frame can be wrong.

usage: make_frames.py DIR [SEEDS]    writes DIR/NAME.pcap and DIR/cases.json, and SEEDS/NAME for frame_fuzz

What must become of each frame stands beside it, from the RFCs and docs/frames.md: the counter's name,
or the segment that is tracked (addresses, ports, payload, VLAN, tunnel). Nothing here asks the program.
The same bytes come out on every run.
"""

import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
from make_captures import ACK, FIN, PSH, RST, SYN, checksum, ipv4, ipv6, tcp  # noqa: E402

START_S = 1_700_000_000
NULL, EN10MB, PPP, FDDI, PPP_HDLC, PPPOE, RFC1483, RAW, HDLC, WLAN, LOOP, SLL = \
    0, 1, 9, 10, 50, 51, 100, 101, 104, 105, 108, 113
RADIOTAP, PPP_DIRECTION, IPV4, IPV6, NFLOG, SLL2 = 127, 166, 228, 229, 239, 276
A4, B4, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
OUT4 = ("192.0.2.1", "192.0.2.2")
OUT6 = ("2001:db8::1", "2001:db8::2")
IP4, IP6, ARP, MPLS, TEB = 0x0800, 0x86DD, 0x0806, 0x8847, 0x6558
PORTS = (40000, 80)
MACS = bytes.fromhex("020000000002020000000001")

cases = []


def tracked(src=A4, dst=B4, payload=100, **more):
    """The segment of one frame, told as a record: what is not named must not be there."""
    return dict({"opener_addr": src, "responder_addr": dst, "opener_port": PORTS[0],
                 "responder_port": PORTS[1], "opener_payload_bytes": payload}, **more)


T4 = tracked()
T6 = tracked(A6, B6)


def case(name, data, expect, link=EN10MB, wire=None, decap="none"):
    """expect: the counter's name, or a record. wire: length on the wire, when it is another."""
    assert name not in {c["name"] for c in cases}, name
    cases.append({"name": name, "link": link, "before": [], "data": data, "expect": expect, "decap": decap,
                  "wire": len(data) if wire is None else wire})


def conversation(name, frames, expect, **more):
    """Several frames, a millisecond between them; expect: the record, with "counters" of those not tracked."""
    case(name, frames[-1], expect, **more)
    cases[-1]["before"] = frames[:-1]


def pcap(one):
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, one["link"])
    frames = [(data, len(data)) for data in one["before"]] + [(one["data"], one["wire"])]
    return head + b"".join(struct.pack("<IIII", START_S, 1000 * i, len(data), wire) + data
                           for i, (data, wire) in enumerate(frames))


# ---------------------------------------------------------------- pieces

def segment(src=A4, dst=B4, payload=100, flags=PSH | ACK, **more):
    return tcp(src, dst, *PORTS, 1000, 5000, flags, b"x" * payload, **more)


def p4(payload=100, **more):
    return ipv4(A4, B4, segment(payload=payload), **more)


def p6(payload=100, **more):
    return ipv6(A6, B6, segment(A6, B6, payload=payload), **more)


def eth(packet, eth_type=None, tags=()):
    if eth_type is None:
        eth_type = IP6 if packet[0] >> 4 == 6 else IP4
    return MACS + b"".join(struct.pack("!HH", t, v) for t, v in tags) + \
        struct.pack("!H", eth_type) + packet


def out4(proto, payload, **more):
    return ipv4(*OUT4, payload, proto=proto, **more)


def raw6(src, dst, after, payload, length=None):
    """IPv6 with any next header."""
    import ipaddress
    return struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, after, 64) + \
        ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + payload


def out6(proto, payload, **more):
    return raw6(*OUT6, proto, payload, **more)


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def label(number, bottom):
    return struct.pack("!I", number << 12 | bottom << 8 | 64)


def labels(count):
    return b"".join(label(16 + i, i == count - 1) for i in range(count))


INNER = (("v4", p4(), T4, IP4), ("v6", p6(), T6, IP6))

# ---------------------------------------------------------------- Ethernet, IP, TCP as they should be


def plain():
    for payload in (0, 1, 6, 100, 1380):
        case(f"eth_v4_{payload}", eth(p4(payload)), tracked(payload=payload))
        case(f"eth_v6_{payload}", eth(p6(payload)), tracked(A6, B6, payload))
    # Ethernet pads to 60 bytes: no payload (IEEE 802.3, 4.2.3.3).
    case("eth_v4_padded", eth(p4(0)).ljust(60, b"\0"), tracked(payload=0))
    case("eth_v4_1_padded", eth(p4(1)).ljust(60, b"\0"), tracked(payload=1))
    case("eth_v4_trailer", eth(p4(100)) + b"t" * 40, T4)
    case("eth_v6_trailer", eth(p6(100)) + b"t" * 40, T6)
    for name, flags in (("syn", SYN), ("fin", FIN | ACK), ("psh", PSH | ACK), ("none", 0),
                        ("ack", ACK), ("urg", 0x20 | ACK)):
        octets = 0 if name in ("syn", "fin") else 10
        for v, src, dst, wrap in (("v4", A4, B4, ipv4), ("v6", A6, B6, ipv6)):
            case(f"flags_{name}_{v}", eth(wrap(src, dst, segment(src, dst, octets, flags))),
                 tracked(src, dst, octets))
    # Who sends a SYN-ACK is the responder: payload goes on that side.
    case("flags_synack", eth(ipv4(A4, B4, segment(payload=0, flags=SYN | ACK))),
         {"opener_addr": B4, "opener_port": 80, "responder_addr": A4, "responder_port": 40000,
          "opener_payload_bytes": 0, "responder_payload_bytes": 0})
    case("flags_rst", eth(ipv4(A4, B4, segment(payload=0, flags=RST))), tracked(payload=0))
    case("ecn_ce_v4", eth(bytes([0x45, 3]) + p4()[2:]), dict(T4, opener_ecn_ce=1))
    case("ecn_ce_v6", eth(bytes([0x60, 0x30]) + p6()[2:]), dict(T6, opener_ecn_ce=1))
    case("tos_all_but_ecn", eth(bytes([0x45, 0xFC]) + p4()[2:]), dict(T4, opener_ecn_ce=0))
    # The wire was longer than what was captured: lengths come from the headers.
    whole = eth(p4(1000))
    case("snap_96", whole[:96], tracked(payload=1000), wire=len(whole))
    whole = eth(p6(1000))
    case("snap_96_v6", whole[:96], tracked(A6, B6, 1000), wire=len(whole))
    case("captured_more_than_wire", eth(p4()), T4, wire=60)


def cut_by_capture():
    """Where the bytes end before the TCP header does; 54 and 74 is where it ends."""
    whole = eth(p4())
    for cut in (0, 1, 6, 12, 13, 14, 15, 20, 23, 33, 34, 35, 38, 42, 46, 47, 50, 53):
        case(f"cut_v4_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole))
    case("cut_v4_at_54", whole[:54], T4, wire=len(whole))
    case("cut_v4_at_60", whole[:60], T4, wire=len(whole))
    whole = eth(p6())
    for cut in (14, 15, 20, 40, 53, 54, 55, 60, 67, 73):
        case(f"cut_v6_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole))
    case("cut_v6_at_74", whole[:74], T6, wire=len(whole))
    # Options that were cut off are not read; what stands before counts.
    options = b"\2\4\5\xb4\4\2\1\1"
    whole = eth(ipv4(A4, B4, segment(options=options, flags=SYN, payload=0)))
    case("cut_options_none", whole[:54], tracked(payload=0), wire=len(whole))
    case("cut_options_mss", whole[:58], tracked(payload=0, opener_mss=1460), wire=len(whole))
    case("cut_options_word", whole[:57], tracked(payload=0), wire=len(whole))


def cut_on_the_wire():
    """The frame itself ends there: its IP length lies."""
    whole = eth(p4())
    for cut in (34, 40, 54, 100, 153):
        case(f"short_v4_{cut}", whole[:cut], "frames_ip_overlong")
    for cut in (14, 20, 33):
        case(f"short_v4_{cut}", whole[:cut], "frames_truncated")
    whole = eth(p6())
    for cut in (54, 60, 74, 120, 173):
        case(f"short_v6_{cut}", whole[:cut], "frames_ip_overlong")
    for cut in (14, 53):
        case(f"short_v6_{cut}", whole[:cut], "frames_truncated")


# ---------------------------------------------------------------- IPv4

def ipv4_headers():
    packet = p4()
    for version in [v for v in range(16) if v != 4]:
        case(f"v4_version_{version}", eth(bytes([version << 4 | 5]) + packet[1:], IP4),
             "frames_ip_malformed")
    for ihl in range(5):
        case(f"v4_ihl_{ihl}", eth(bytes([0x40 | ihl]) + packet[1:], IP4), "frames_ip_malformed")
    for words in range(1, 11):
        case(f"v4_options_{words}", eth(p4(options=b"\1" * 4 * words)), T4)
    case("v4_options_route", eth(p4(options=b"\x07\x07\x04\0\0\0\0\0")), T4)
    case("v4_options_cut", eth(p4(options=b"\1" * 40))[:70], "frames_truncated", wire=194)
    case("v4_total_0", eth(p4(total=0)), T4)
    for total in (1, 10, 19):
        case(f"v4_total_{total}", eth(p4(total=total)), "frames_ip_malformed")
    case("v4_total_below_options", eth(p4(options=b"\1" * 40, total=40)), "frames_ip_malformed")
    for total in (20, 21, 30, 39):
        case(f"v4_total_{total}", eth(p4(total=total)), "frames_tcp_malformed")
    case("v4_total_40", eth(p4(total=40)), tracked(payload=0))
    case("v4_total_139", eth(p4(total=139)), tracked(payload=99))
    for total in (141, 1500, 65535):
        case(f"v4_total_{total}", eth(p4(total=total)), "frames_ip_overlong")
    for proto, name in ((0, "hopopt"), (1, "icmp_echo"), (2, "igmp"), (17, "udp"), (33, "dccp"),
                        (50, "esp"), (58, "icmp6"), (59, "none"), (89, "ospf"), (103, "pim"),
                        (108, "ipcomp"), (132, "sctp"), (136, "udplite"), (253, "test"),
                        (255, "reserved")):
        payload = b"\x08\0" + bytes(30) if proto == 1 else bytes(32)
        case(f"v4_proto_{name}", eth(ipv4(A4, B4, payload, proto=proto)), "frames_not_tcp")
    for size in (0, 1, 8, 19):
        case(f"v4_tcp_of_{size}", eth(ipv4(A4, B4, segment(payload=0)[:size])), "frames_tcp_malformed")


def ipv4_fragments():
    case("v4_first_fragment", eth(p4(fragment=0x2000)), dict(T4, first_fragment=True))
    case("v4_first_fragment_df", eth(p4(fragment=0x6000)), dict(T4, first_fragment=True))
    case("v4_dont_fragment", eth(p4(fragment=0x4000)), T4)
    case("v4_evil_bit", eth(p4(fragment=0x8000)), T4)
    for size in (8, 16):
        case(f"v4_first_fragment_of_{size}",
             eth(ipv4(A4, B4, segment()[:size], fragment=0x2000)), "frames_tcp_malformed")
    for offset in (1, 2, 185, 0x1000, 0x1FFF):
        case(f"v4_fragment_at_{offset}", eth(p4(fragment=offset)), "frames_fragments")
        case(f"v4_fragment_at_{offset}_more", eth(p4(fragment=0x2000 | offset)), "frames_fragments")
    case("v4_fragment_of_udp", eth(ipv4(A4, B4, bytes(64), proto=17, fragment=185)),
         "frames_fragments")


# AH: next header, length in words less 2, reserved, SPI, sequence number, 12 bytes ICV (RFC 4302, 2).
def ah(after, icv=12):
    return struct.pack("!BBHII", after, (12 + icv) // 4 - 2, 0, 0x100, 1) + bytes(icv)


def ipv4_ah():
    case("v4_ah", eth(ipv4(A4, B4, ah(6) + segment(), proto=51)), T4)
    case("v4_ah_16", eth(ipv4(A4, B4, ah(6, 16) + segment(), proto=51)), T4)
    case("v4_ah_udp", eth(ipv4(A4, B4, ah(17) + bytes(40), proto=51)), "frames_not_tcp")
    case("v4_ah_beyond", eth(ipv4(A4, B4, bytes([6, 200]) + bytes(40), proto=51)),
         "frames_ip_malformed")


# ---------------------------------------------------------------- IPv6

HBH, ROUTING, FRAGMENT, DEST, MOBILITY, AH = 0, 43, 44, 60, 135, 51


def extension(number, size=8):
    """(number, the header from its second byte on)"""
    if number == FRAGMENT:
        return number, b"\0" + struct.pack("!HI", 0, 7)
    if number == AH:
        return number, ah(0)[1:]
    return number, bytes([size // 8 - 1]) + b"\1" + bytes([size - 4]) + bytes(size - 4)


def e6(extensions, payload=100, **more):
    return eth(ipv6(A6, B6, segment(A6, B6, payload), extensions=extensions, **more))


def ipv6_headers():
    packet = p6()
    for version in [v for v in range(16) if v != 6]:
        case(f"v6_version_{version}", eth(bytes([version << 4]) + packet[1:], IP6),
             "frames_ip_malformed")
    case("v6_traffic_class_flow_label", eth(bytes([0x6F, 0xCF, 0xFF, 0xFF]) + packet[4:]), T6)
    case("v6_length_0", eth(p6(length=0)), T6)
    for length in (1, 19):
        case(f"v6_length_{length}", eth(p6(length=length)), "frames_tcp_malformed")
    case("v6_length_20", eth(p6(length=20)), tracked(A6, B6, 0))
    case("v6_length_119", eth(p6(length=119)), tracked(A6, B6, 99))
    for length in (121, 1500, 65535):
        case(f"v6_length_{length}", eth(p6(length=length)), "frames_ip_overlong")
    for proto, name in ((17, "udp"), (50, "esp"), (58, "icmp6_echo"), (59, "none"), (89, "ospf"),
                        (108, "ipcomp"), (132, "sctp"), (255, "reserved")):
        payload = b"\x80\0" + bytes(30)
        case(f"v6_proto_{name}", eth(raw6(A6, B6, proto, payload)), "frames_not_tcp")


def ipv6_extensions():
    kinds = (("hbh", HBH), ("routing", ROUTING), ("atomic", FRAGMENT), ("dest", DEST),
             ("mobility", MOBILITY), ("ah", AH), ("hip", 139), ("shim6", 140))
    for name, number in kinds:
        case(f"v6_ext_{name}", e6([extension(number)]), T6)
        for other, second in kinds:
            case(f"v6_ext_{name}_{other}", e6([extension(number), extension(second)]), T6)
    for size in (16, 24, 64, 264):
        case(f"v6_ext_dest_{size}", e6([(DEST, bytes([size // 8 - 1]) + bytes(size - 2))]), T6)
    for count in range(3, 9):
        case(f"v6_ext_chain_{count}", e6([extension(DEST)] * count), T6)
    for count in (9, 10, 20):
        case(f"v6_ext_chain_{count}", e6([extension(DEST)] * count), "frames_ext_headers")
    case("v6_ext_all", e6([extension(HBH), extension(DEST), extension(ROUTING), extension(FRAGMENT),
                           extension(AH), extension(DEST)]), T6)
    more = (FRAGMENT, b"\0" + struct.pack("!HI", 1, 7))
    case("v6_first_fragment", e6([more]), dict(T6, first_fragment=True))
    case("v6_first_fragment_hbh", e6([extension(HBH), more]), dict(T6, first_fragment=True))
    for offset in (1, 181, 0x1FFF):
        later = (FRAGMENT, b"\0" + struct.pack("!HI", offset << 3, 7))
        case(f"v6_fragment_at_{offset}", e6([later]), "frames_fragments")
    # Reserved bits of the fragment header say nothing (RFC 8200, 4.5).
    case("v6_atomic_reserved", e6([(FRAGMENT, b"\xff" + struct.pack("!HI", 6, 7))]), T6)
    case("v6_ext_beyond", e6([(DEST, bytes([200]) + bytes(6))]), "frames_ip_malformed")
    case("v6_ext_no_room", eth(raw6(A6, B6, DEST, b"\6\0\0\0")), "frames_ip_malformed")
    case("v6_ext_then_nothing", eth(raw6(A6, B6, DEST, b"\6\0" + bytes(6))), "frames_tcp_malformed")
    case("v6_ext_then_none", eth(raw6(A6, B6, DEST, b"\x3b\0" + bytes(6))), "frames_not_tcp")
    case("v6_ext_then_udp", eth(raw6(A6, B6, DEST, b"\x11\0" + bytes(30))), "frames_not_tcp")
    whole = e6([extension(HBH), extension(DEST)])
    for cut in (54, 58, 61, 62, 66, 69, 70, 80, 89):
        case(f"v6_ext_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole))
    case("v6_ext_cut_at_90", whole[:90], T6, wire=len(whole))


def ipv6_jumbograms():
    """RFC 2675, 2: option 0xc2 with four bytes of length, payload length 0."""
    def jumbo(length, payload=100):
        chain = b"\6\0" + b"\xc2\4" + struct.pack("!I", length)
        return eth(raw6(A6, B6, HBH, chain + segment(A6, B6, payload), length=0))
    case("v6_jumbo", jumbo(8 + 20 + 100), T6)
    # The option is looked for in the first header alone.
    both = b"\x3c\0" + b"\xc2\4" + struct.pack("!I", 8 + 8 + 20 + 100) + b"\6\0\1\4\0\0\0\0"
    case("v6_jumbo_dest", eth(raw6(A6, B6, HBH, both + segment(A6, B6), length=0)), T6)
    for length in (0, 127, 129, 65536, 0xFFFFFFFF):
        case(f"v6_jumbo_lies_{length}", jumbo(length), "frames_jumbograms")
    # Without the option that is an error (RFC 2675, 3).
    case("v6_hbh_length_0", eth(raw6(A6, B6, HBH, b"\6\0\1\4\0\0\0\0" + segment(A6, B6), length=0)),
         "frames_jumbograms")


# ---------------------------------------------------------------- TCP

def tcp_headers():
    for doff in range(5):
        case(f"tcp_doff_{doff}", eth(ipv4(A4, B4, segment(doff=doff))), "frames_tcp_malformed")
        case(f"tcp_doff_{doff}_v6", eth(ipv6(A6, B6, segment(A6, B6, doff=doff))), "frames_tcp_malformed")
    for words in range(1, 11):
        case(f"tcp_nops_{words}", eth(ipv4(A4, B4, segment(options=b"\1" * 4 * words))), T4)
        case(f"tcp_nops_{words}_v6", eth(ipv6(A6, B6, segment(A6, B6, options=b"\1" * 4 * words))), T6)
    for doff in (6, 10, 15):
        case(f"tcp_doff_{doff}_beyond", eth(ipv4(A4, B4, segment(payload=0, doff=doff))),
             "frames_tcp_malformed")
    # The frame is longer, the IP packet is not: padding is no header.
    case("tcp_doff_into_padding", eth(ipv4(A4, B4, segment(payload=0, doff=6))).ljust(80, b"\1"),
         "frames_tcp_malformed")
    mss, scale, ts = b"\2\4\5\xb4", b"\3\3\7", b"\x08\x0a" + bytes(8)
    for name, options, seen in (
            ("mss", mss, 1460), ("mss_scale", mss + b"\1" + scale, 1460), ("scale", b"\1" + scale, None),
            ("ts", b"\1\1" + ts, None), ("mss_ts", mss + b"\1\1" + ts, 1460),
            ("sack_permitted", b"\4\2\1\1", None), ("end_then_mss", b"\0" + mss, None),
            ("mss_long", b"\2\5\5\xb4\0", None), ("mss_short", b"\2\3\5", None),
            ("unknown_then_mss", b"\xfd\4ab" + mss, 1460), ("zero_then_mss", b"\xfd\0" + mss, None),
            ("one_then_mss", b"\xfd\1" + mss, None), ("overrun", b"\1\1\2\x28", None),
            ("mss_then_overrun", mss + b"\x08\x0a\0\0", 1460), ("last_is_kind", b"\1\1\1\2", None),
            ("sack_4", b"\1\1\5\x22" + bytes(32), None), ("md5", b"\x13\x12" + bytes(16) + b"\1\1", None),
            ("fast_open", mss + b"\x22\x0a" + bytes(8), 1460)):
        record = tracked(payload=0) if seen is None else tracked(payload=0, opener_mss=seen)
        case(f"tcp_option_{name}", eth(ipv4(A4, B4, segment(payload=0, flags=SYN, options=options))), record)
    case("tcp_data_in_syn", eth(ipv4(A4, B4, segment(payload=10, flags=SYN))), tracked(payload=10))
    case("tcp_syn_fin", eth(ipv4(A4, B4, segment(payload=0, flags=SYN | FIN))), tracked(payload=0))
    bad = bytearray(eth(p4()))
    bad[50] ^= 0xFF
    case("tcp_checksum_wrong", bytes(bad), T4)


# ---------------------------------------------------------------- tags and labels

def vlans():
    types = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
    for v, packet, record, eth_type in INNER:
        for t in types:
            case(f"vlan_{t:04x}_{v}", eth(packet, tags=[(t, 7)]), dict(record, vlan=7))
            case(f"vlan_{t:04x}_8100_{v}", eth(packet, tags=[(t, 7), (0x8100, 8)]), dict(record, vlan=7))
        for count in (3, 4):
            case(f"vlan_{count}_{v}", eth(packet, tags=[(0x88A8, 10 + i) for i in range(count)]),
                 dict(record, vlan=10))
        for count in (5, 6, 10):
            case(f"vlan_{count}_{v}", eth(packet, tags=[(0x8100, 10 + i) for i in range(count)]),
                 "frames_vlan_deep")
    case("vlan_0", eth(p4(), tags=[(0x8100, 0)]), T4)
    case("vlan_priority_only", eth(p4(), tags=[(0x8100, 0xE000)]), T4)
    case("vlan_0_then_5", eth(p4(), tags=[(0x8100, 0xE000), (0x8100, 5)]), dict(T4, vlan=5))
    case("vlan_4095", eth(p4(), tags=[(0x8100, 0xFFFF)]), dict(T4, vlan=4095))
    case("vlan_arp", eth(bytes(28), ARP, tags=[(0x8100, 7)]), "frames_not_ip")
    whole = eth(p4(), tags=[(0x8100, 7), (0x8100, 8)])
    for cut in (14, 15, 17, 18, 21, 22, 41, 61):
        case(f"vlan_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole))
    case("vlan_cut_at_62", whole[:62], dict(T4, vlan=7), wire=len(whole))
    case("vlan_in_8023", MACS + struct.pack("!HHH", 0x8100, 7, 8 + len(p4())) +
         bytes.fromhex("aaaa030000000800") + p4(), dict(T4, vlan=7))


def mpls():
    for v, packet, record, eth_type in INNER:
        for count in (1, 2, 3, 8, 30):
            case(f"mpls_{count}_{v}", eth(labels(count) + packet, MPLS), record)
        case(f"mpls_multicast_{v}", eth(labels(2) + packet, 0x8848), record)
        case(f"mpls_vlan_{v}", eth(labels(1) + packet, MPLS, tags=[(0x8100, 9)]), dict(record, vlan=9))
        case(f"mpls_control_word_{v}", eth(labels(1) + bytes(4) + eth(packet), MPLS), record)
        # The destination address of the pseudowire's frame begins with neither 0, 4 nor 6.
        wire = b"\xaa" + eth(packet)[1:]
        case(f"mpls_pseudowire_{v}", eth(labels(2) + wire, MPLS), record)
        case(f"mpls_pseudowire_vlan_{v}",
             eth(labels(2) + bytes(4) + eth(packet, tags=[(0x8100, 30)]), MPLS), dict(record, vlan=30))
        for count in (70, 100):
            case(f"mpls_{count}_{v}", eth(labels(count) + packet, MPLS), "frames_headers_deep")
    case("mpls_no_bottom", eth(label(16, 0) * 3, MPLS), "frames_truncated")
    case("mpls_nothing", eth(labels(1), MPLS), "frames_truncated")
    case("mpls_pseudowire_arp", eth(labels(1) + b"\xaa" + eth(bytes(28), ARP)[1:], MPLS), "frames_not_ip")
    whole = eth(labels(2) + p4(), MPLS)
    for cut in (14, 17, 18, 21, 22, 41, 61):
        case(f"mpls_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole))


def pppoe_header(code, payload, version=0x11):
    return struct.pack("!BBHH", version, code, 7, len(payload)) + payload


def pppoe():
    for v, packet, record, protocol in (("v4", p4(), T4, 0x21), ("v6", p6(), T6, 0x57)):
        two = struct.pack("!H", protocol) + packet
        case(f"pppoe_{v}", eth(pppoe_header(0, two), 0x8864), record)
        case(f"pppoe_{v}_short_protocol", eth(pppoe_header(0, bytes([protocol]) + packet), 0x8864), record)
        case(f"pppoe_{v}_vlan", eth(pppoe_header(0, two), 0x8864, tags=[(0x8100, 7)]), dict(record, vlan=7))
        case(f"pppoe_{v}_link", pppoe_header(0, two), record, link=PPPOE)
        case(f"pppoe_{v}_mpls", eth(pppoe_header(0, b"\2\x81" + labels(1) + packet), 0x8864), record)
    for name, protocol in (("lcp", 0xC021), ("ipcp", 0x8021), ("pap", 0xC023), ("compressed", 0xFD)):
        case(f"pppoe_{name}", eth(pppoe_header(0, struct.pack("!H", protocol) + bytes(20)), 0x8864),
             "frames_not_ip")
    for version in (0x00, 0x10, 0x12, 0x21, 0xFF):
        case(f"pppoe_version_{version:02x}", eth(pppoe_header(0, b"\0\x21" + p4(), version), 0x8864),
             "frames_link_malformed")
    for code in (0x07, 0x09, 0x19, 0x65, 0xA7):
        case(f"pppoe_code_{code:02x}", eth(pppoe_header(code, bytes(20)), 0x8864), "frames_not_ip")
    case("pppoe_discovery", eth(pppoe_header(0x09, bytes(20)), 0x8863), "frames_not_ip")
    whole = eth(pppoe_header(0, b"\0\x21" + p4()), 0x8864)
    for cut in (14, 19, 20, 41, 61):
        case(f"pppoe_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole))


# ---------------------------------------------------------------- links

LLC_SNAP = bytes.fromhex("aaaa03000000")


def snap(packet):
    return LLC_SNAP + struct.pack("!H", IP6 if packet[0] >> 4 == 6 else IP4) + packet


def links():
    for v, packet, record, eth_type in INNER:
        case(f"eth_8023_{v}", MACS + struct.pack("!H", len(snap(packet))) + snap(packet), record)
        for link in (12, 14, RAW):
            case(f"raw_{link}_{v}", packet, record, link=link)
        case(f"llc_{v}", snap(packet), record, link=RFC1483)
        case(f"fddi_{v}", b"\x50" + MACS + snap(packet), record, link=FDDI)
        case(f"sll_{v}", struct.pack("!HHH8sH", 0, 1, 6, b"\2", eth_type) + packet, record, link=SLL)
        case(f"sll_vlan_{v}", struct.pack("!HHH8sHHH", 0, 1, 6, b"\2", 0x8100, 7, eth_type) + packet,
             dict(record, vlan=7), link=SLL)
        case(f"sll_llc_{v}", struct.pack("!HHH8sH", 0, 1, 6, b"\2", 4) + snap(packet), record, link=SLL)
        case(f"sll2_{v}", struct.pack("!HHIHBB8s", eth_type, 0, 2, 1, 0, 6, b"\2") + packet, record,
             link=SLL2)
        case(f"hdlc_{v}", struct.pack("!BBH", 0x0F, 0, eth_type) + packet, record, link=HDLC)
        case(f"hdlc_multicast_{v}", struct.pack("!BBH", 0x8F, 0, eth_type) + packet, record, link=HDLC)
        protocol = 0x21 if eth_type == IP4 else 0x57
        for name, header in (("plain", struct.pack("!H", protocol)), ("short", bytes([protocol])),
                             ("framed", b"\xff\3" + struct.pack("!H", protocol)),
                             ("framed_short", b"\xff\3" + bytes([protocol]))):
            case(f"ppp_{name}_{v}", header + packet, record, link=PPP)
            case(f"ppp_hdlc_{name}_{v}", header + packet, record, link=PPP_HDLC)
            case(f"ppp_direction_{name}_{v}", b"\1" + header + packet, record, link=PPP_DIRECTION)
        case(f"ppp_mpls_{v}", b"\xff\3\2\x81" + labels(2) + packet, record, link=PPP)
    case("link_ipv4", p4(), T4, link=IPV4)
    case("link_ipv6", p6(), T6, link=IPV6)
    for number in (2, 10, 24, 28, 30):
        packet, record = (p4(), T4) if number == 2 else (p6(), T6)
        for order, name in (("<", "little"), (">", "big")):
            case(f"null_{number}_{name}", struct.pack(order + "I", number) + packet, record, link=NULL)
        case(f"loop_{number}", struct.pack("!I", number) + packet, record, link=LOOP)
    for number in (0, 7, 16, 23):
        case(f"null_family_{number}", struct.pack("<I", number) + p4(), "frames_not_ip", link=NULL)
    for first in (0x00, 0x15, 0x35, 0x70, 0xF0):
        case(f"raw_first_{first:02x}", bytes([first]) + p4()[1:], "frames_ip_malformed", link=RAW)
    case("raw_empty", b"", "frames_truncated", link=RAW, wire=140)
    case("raw_cut_at_39", p4()[:39], "frames_truncated", link=RAW, wire=140)
    case("sll_arp", struct.pack("!HHH8sH", 0, 1, 6, b"\2", ARP) + bytes(28), "frames_not_ip", link=SLL)
    case("sll_8023", struct.pack("!HHH8sH", 0, 1, 6, b"\2", 1) + bytes(40), "frames_not_ip", link=SLL)
    case("sll_cut", struct.pack("!HHH8sH", 0, 1, 6, b"\2", IP4)[:15], "frames_truncated", link=SLL, wire=156)
    case("sll2_arp", struct.pack("!HHIHBB8s", ARP, 0, 2, 1, 0, 6, b"\2") + bytes(28), "frames_not_ip",
         link=SLL2)
    case("sll2_cut", struct.pack("!HHIHBB8s", IP4, 0, 2, 1, 0, 6, b"\2")[:19], "frames_truncated",
         link=SLL2, wire=160)
    case("hdlc_slarp", struct.pack("!BBH", 0x8F, 0, 0x8035) + bytes(18), "frames_not_ip", link=HDLC)
    for first in (0x00, 0x10, 0xFF):
        case(f"hdlc_first_{first:02x}", struct.pack("!BBH", first, 0, IP4) + p4(),
             "frames_link_malformed", link=HDLC)
    case("ppp_lcp", b"\xff\3\xc0\x21" + bytes(10), "frames_not_ip", link=PPP)
    case("ppp_ipcp", b"\x80\x21" + bytes(10), "frames_not_ip", link=PPP)
    case("llc_stp", bytes.fromhex("424203") + bytes(35), "frames_not_ip", link=RFC1483)
    case("llc_other_oui", bytes.fromhex("aaaa0300000c0800") + p4(), "frames_not_ip", link=RFC1483)
    case("llc_arp", LLC_SNAP + struct.pack("!H", ARP) + bytes(28), "frames_not_ip", link=RFC1483)
    for eth_type, name in ((ARP, "arp"), (0x88CC, "lldp"), (0x8906, "fcoe"), (0x88E5, "macsec"),
                           (0x0600, "xns"), (0xFFFF, "ffff")):
        case(f"eth_{name}", eth(bytes(46), eth_type), "frames_not_ip")
    case("eth_stp", MACS + b"\0\x26" + bytes.fromhex("424203") + bytes(43), "frames_not_ip")


def nsh(number, packet, words=2, version=0, kind=2):
    """RFC 8300: version and TTL, length in words, metadata type, next protocol, path and index, metadata."""
    return struct.pack("!HBBI", version << 14 | 63 << 6 | words, kind, number, 0x1FF) + bytes(4 * words - 8) + packet


def rarer_tags():
    """What switches put between a link header and IP beside VLANs."""
    for v, packet, record, eth_type in INNER:
        number = 1 if eth_type == IP4 else 2
        inner = struct.pack("!H", eth_type) + packet
        for name, tags, vlan in (("", (), {}), ("_vlan", [(0x88A8, 7)], {"vlan": 7})):
            more = dict(record, **vlan)
            case(f"pbb{name}_{v}", eth(bytes(4) + eth(packet), 0x88E7, tags), more)
            case(f"vn_tag{name}_{v}", eth(bytes(4) + inner, 0x8926, tags), more)
            case(f"e_tag{name}_{v}", eth(bytes(6) + inner, 0x893F, tags), more)
            case(f"nsh{name}_{v}", eth(nsh(number, packet, 6, kind=1), 0x894F, tags), more)
            case(f"llc_jumbo{name}_{v}", eth(snap(packet), 0x8870, tags), more)
        case(f"pbb_tagged_{v}", eth(bytes(4) + eth(packet, tags=[(0x8100, 9)]), 0x88E7), dict(record, vlan=9))
        case(f"nsh_ethernet_{v}", eth(nsh(3, eth(packet)), 0x894F), record)
        case(f"nsh_nsh_{v}", eth(nsh(4, nsh(number, packet)), 0x894F), record)
        case(f"nsh_mpls_{v}", eth(nsh(5, labels(2) + packet), 0x894F), record)
        case(f"gre_nsh_{v}", eth(out4(47, gre(0x894F, nsh(number, packet)))),
             dict(record, tunnel="gre", decapsulated=True), decap="all")
        case(f"llc_bridged_{v}", bytes.fromhex("aaaa030080c20007") + bytes(2) + eth(packet), record, link=RFC1483)
        case(f"llc_bridged_sum_{v}", bytes.fromhex("aaaa030080c20001") + bytes(2) + eth(packet) + bytes(4), record,
             link=RFC1483)
        case(f"ppp_hdlc_cisco_{v}", struct.pack("!BBH", 0x0F, 0, eth_type) + packet, record, link=PPP_HDLC)
        case(f"ppp_hdlc_cisco_all_{v}", struct.pack("!BBH", 0x8F, 0, eth_type) + packet, record, link=PPP_HDLC)
    case("llc_ip", bytes.fromhex("060603") + p4(), T4, link=RFC1483)
    case("eth_llc_ip", MACS + struct.pack("!H", 3 + len(p4())) + bytes.fromhex("060603") + p4(), T4)
    case("nsh_version", eth(nsh(1, p4(), version=1), 0x894F), "frames_link_malformed")
    case("nsh_length_1", eth(struct.pack("!HBBI", 1, 2, 1, 1) + p4(), 0x894F), "frames_link_malformed")
    case("nsh_other", eth(nsh(6, p4()), 0x894F), "frames_not_ip")
    for name, eth_type, size in (("pbb", 0x88E7, 4), ("vn_tag", 0x8926, 6), ("e_tag", 0x893F, 8), ("nsh", 0x894F, 8)):
        case(f"{name}_cut", eth(bytes(60), eth_type)[:14 + size - 1], "frames_truncated", wire=74)
    # 802.1Q behind them counts on: four tags at most.
    case("vn_tag_vlans_5", eth(bytes(4) + b"".join(struct.pack("!HH", 0x8100, i) for i in range(1, 6)) +
                               struct.pack("!H", IP4) + p4(), 0x8926), "frames_vlan_deep")
    for number, name in ((824, "netlink"), (770, "frame_relay")):
        case(f"sll_{name}", struct.pack("!HHH8sH", 0, number, 6, b"\2", IP4) + p4(), "frames_not_ip", link=SLL)
        case(f"sll2_{name}", struct.pack("!HHIHBB8s", IP4, 0, 2, number, 0, 6, b"\2") + p4(), "frames_not_ip",
             link=SLL2)
    for v, packet, record, eth_type in INNER:
        case(f"sll_radiotap_{v}", struct.pack("!HHH8sH", 0, 803, 6, b"\2", 4) + radiotap(wlan(packet)), record,
             link=SLL)
        case(f"sll2_radiotap_{v}", struct.pack("!HHIHBB8s", 4, 0, 2, 803, 0, 6, b"\2") + radiotap(wlan(packet)),
             record, link=SLL2)
        for number, name in ((778, "gre"), (512, "ppp"), (65534, "none"), (772, "loopback")):
            case(f"sll_{name}_{v}", struct.pack("!HHH8sH", 0, number, 6, b"\2", eth_type) + packet, record, link=SLL)


def aggregate(*packets):
    """IEEE 802.11, 9.3.2.2.2: each with addresses and length, all but the last padded to four bytes."""
    parts = [MACS + struct.pack("!H", len(snap(packet))) + snap(packet) for packet in packets]
    return b"".join(part + bytes(-len(part) % 4) for part in parts[:-1]) + parts[-1]


def wlan(packet, control=b"\x08\1", addresses=3, qos=b"", ht=b"", body=None):
    header = control + b"\0\0" + MACS + MACS[:6] + b"\0\0" + (MACS[6:] if addresses == 4 else b"")
    return header + qos + ht + (snap(packet) if body is None else body)


def radiotap(frame, extra=b"", flags=None):
    present, fields = (0, b"") if flags is None else (2, bytes([flags]))
    return struct.pack("<BBHI", 0, 0, 8 + len(fields) + len(extra), present) + fields + extra + frame


def wireless():
    for v, packet, record, eth_type in INNER:
        case(f"wlan_to_ds_{v}", wlan(packet), record, link=WLAN)
        case(f"wlan_from_ds_{v}", wlan(packet, b"\x08\2"), record, link=WLAN)
        case(f"wlan_adhoc_{v}", wlan(packet, b"\x08\0"), record, link=WLAN)
        case(f"wlan_four_{v}", wlan(packet, b"\x08\3", 4), record, link=WLAN)
        case(f"wlan_qos_{v}", wlan(packet, b"\x88\1", qos=b"\0\0"), record, link=WLAN)
        case(f"wlan_qos_four_{v}", wlan(packet, b"\x88\3", 4, b"\0\0"), record, link=WLAN)
        case(f"wlan_qos_ht_{v}", wlan(packet, b"\x88\x81", qos=b"\0\0", ht=b"\1\2\3\4"), record, link=WLAN)
        case(f"radiotap_{v}", radiotap(wlan(packet)), record, link=RADIOTAP)
        case(f"radiotap_long_{v}", radiotap(wlan(packet), bytes(30)), record, link=RADIOTAP)
        # QoS header of 26 bytes, padded to 28 (flag 0x20 of radiotap).
        case(f"radiotap_padded_{v}", radiotap(wlan(packet, b"\x88\1", qos=b"\0\0\0\0"), b"", 0x20),
             record, link=RADIOTAP)
        case(f"wlan_amsdu_one_{v}", wlan(None, b"\x88\1", qos=b"\x80\0", body=aggregate(packet)), record, link=WLAN)
        case(f"wlan_amsdu_one_sum_{v}", wlan(None, b"\x88\1", qos=b"\x80\0", body=aggregate(packet) + bytes(4)),
             record, link=WLAN)
        case(f"wlan_amsdu_two_{v}", wlan(None, b"\x88\1", qos=b"\x80\0", body=aggregate(packet, packet)),
             "frames_not_ip", link=WLAN)
    for name, frame in (("null", wlan(None, b"\x48\1", body=b"")),
                        ("qos_null", wlan(None, b"\xc8\1", qos=b"\0\0", body=b"")),
                        ("beacon", wlan(None, b"\x80\0", body=bytes(60))),
                        ("ack", b"\xd4\0\0\0" + MACS[:6]),
                        ("protected", wlan(None, b"\x08\x41", body=bytes(80))),
                        ("amsdu", wlan(None, b"\x88\1", qos=b"\x80\0", body=bytes(80)))):
        case(f"wlan_{name}", frame, "frames_not_ip", link=WLAN)
        case(f"radiotap_{name}", radiotap(frame), "frames_not_ip", link=RADIOTAP)
    case("wlan_cut", wlan(p4())[:23], "frames_truncated", link=WLAN, wire=172)
    for length in (0, 4, 7):
        case(f"radiotap_length_{length}", struct.pack("<BBHI", 0, 0, length, 0) + wlan(p4()),
             "frames_link_malformed", link=RADIOTAP)
    case("radiotap_cut", radiotap(b"")[:7], "frames_truncated", link=RADIOTAP, wire=172)


def nflog(packet, family=2, version=0, before=b""):
    header = struct.pack("!BBH", family, version, 0)
    return header + before + struct.pack("<HH", 4 + len(packet), 9) + packet


def nflogs():
    prefix = struct.pack("<HH4s", 8, 10, b"in:\0")
    mark = struct.pack("<HHI", 8, 2, 7)
    for v, packet, record, eth_type in INNER:
        family = 2 if eth_type == IP4 else 10
        case(f"nflog_{v}", nflog(packet, family), record, link=NFLOG)
        case(f"nflog_prefix_{v}", nflog(packet, family, before=prefix + mark), record, link=NFLOG)
        # Attributes begin at multiples of four.
        case(f"nflog_odd_{v}", nflog(packet, family, before=struct.pack("<HH3sx", 7, 10, b"in")), record,
             link=NFLOG)
    case("nflog_version", nflog(p4(), version=1), "frames_link_malformed", link=NFLOG)
    case("nflog_no_payload", struct.pack("!BBH", 2, 0, 0) + prefix + mark, "frames_truncated", link=NFLOG)
    for length in (0, 3):
        case(f"nflog_attribute_{length}", struct.pack("!BBHHH", 2, 0, 0, 0, 0) +
             struct.pack("<HH", length, 10) + p4(), "frames_link_malformed", link=NFLOG)
    case("nflog_cut", struct.pack("!BBH", 2, 0, 0)[:3], "frames_truncated", link=NFLOG, wire=148)


# ---------------------------------------------------------------- tunnels

def gre(eth_type, payload, check=False, key=None, seq=None, version=0, routing=False):
    flags = check << 15 | routing << 14 | (key is not None) << 13 | (seq is not None) << 12 | version
    return struct.pack("!HH", flags, eth_type) + (bytes(4) if check or routing else b"") + \
        (struct.pack("!I", key) if key is not None else b"") + \
        (struct.pack("!I", seq) if seq is not None else b"") + payload


def vxlan(vni, payload, flags=0x08):
    return struct.pack("!II", flags << 24, vni << 8) + payload


def gpe(vni, number, payload, flags=0x0C):
    return struct.pack("!II", flags << 24 | number, vni << 8) + payload


def geneve(vni, eth_type, payload, options=b"", version=0):
    return struct.pack("!BBHI", version << 6 | len(options) // 4, 0, eth_type, vni << 8) + options + payload


def gtp(teid, payload, kind=0xFF, version=1, seq=None, extensions=()):
    """extensions: content in words of four bytes less 2, each."""
    optional = b""
    if seq is not None or extensions:
        optional = struct.pack("!HB", seq or 0, 0) + bytes([0x85 if extensions else 0])
        for i, content in enumerate(extensions):
            after = 0x85 if i + 1 < len(extensions) else 0
            optional += bytes([(len(content) + 2) // 4]) + content + bytes([after])
    flags = version << 5 | 0x10 | (4 if extensions else 0) | (2 if seq is not None else 0)
    return struct.pack("!BBHI", flags, kind, len(optional) + len(payload), teid) + optional + payload


def erspan2(session, payload):
    return struct.pack("!II", 1 << 28 | 100 << 16 | session, 5) + payload


def erspan3(session, payload, sub=False):
    return struct.pack("!IIHH", 2 << 28 | 100 << 16 | session, 77, 0, sub) + (bytes(8) if sub else b"") + payload


def tunnel(name, packet, record, word, number=None, tags=()):
    """Not looked into, looked into with all and with its word, and not with all the others."""
    words = ("ipip", "sit", "4in6", "6in6", "gre", "erspan", "vxlan", "vxlan-gpe", "geneve", "gtp-u", "l2tpv3", "teredo")
    inside = dict(record, tunnel=word, decapsulated=True)
    if number is not None:
        inside["tunnel_id"] = number
    case(f"{name}_not", eth(packet, tags=tags), "frames_tunnel")
    case(f"{name}_all", eth(packet, tags=tags), inside, decap="all")
    case(f"{name}_word", eth(packet, tags=tags), inside, decap=word)
    case(f"{name}_others", eth(packet, tags=tags), "frames_tunnel",
         decap=",".join(w for w in words if w != word))


def tunnels_ip():
    tunnel("ipip", out4(4, p4()), T4, "ipip")
    tunnel("ipip_options", out4(4, p4(), options=b"\1" * 8), T4, "ipip")
    tunnel("sit", out4(41, p6()), T6, "sit")
    tunnel("4in6", out6(4, p4()), T4, "4in6")
    tunnel("6in6", out6(41, p6()), T6, "6in6")
    tunnel("4in6_ext", out6(DEST, b"\4\0" + bytes(6) + p4()), T4, "4in6")
    tunnel("ipip_ah", out4(51, ah(4) + p4()), T4, "ipip")
    for v, outer, word in (("v4", lambda p: out4(4, p), "ipip"), ("v6", lambda p: out6(4, p), "4in6")):
        case(f"ip_in_{v}_udp", eth(outer(ipv4(A4, B4, bytes(20), proto=17))), "frames_not_tcp", decap="all")
        case(f"ip_in_{v}_overlong", eth(outer(p4(total=200))), "frames_ip_overlong", decap="all")
        case(f"ip_in_{v}_version", eth(outer(b"\x75" + p4()[1:])), "frames_ip_malformed", decap="all")
        case(f"ip_in_{v}_fragment", eth(outer(p4(fragment=100))), "frames_fragments", decap="all")
        case(f"ip_in_{v}_first_fragment", eth(outer(p4(fragment=0x2000))),
             dict(T4, tunnel=word, decapsulated=True, first_fragment=True), decap="all")
        case(f"ip_in_{v}_doff", eth(outer(ipv4(A4, B4, segment(doff=3)))), "frames_tcp_malformed", decap="all")
        case(f"ip_in_{v}_padding", eth(outer(p4(0)) + bytes(20)), dict(tracked(payload=0), tunnel=word,
                                                                     decapsulated=True), decap="all")
    for flags, name in ((0x2000, "first"), (0x6000, "first_df")):
        case(f"ipip_outer_{name}_fragment", eth(out4(4, p4(), fragment=flags)), "frames_tunnel", decap="all")
    case("ipip_outer_later_fragment", eth(out4(4, p4(), fragment=50)), "frames_fragments", decap="all")
    case("vxlan_outer_first_fragment", eth(out4(17, udp(5, 4789, vxlan(1, eth(p4()))), fragment=0x2000)),
         "frames_tunnel", decap="all")


def tunnels_gre():
    for o, outer in (("4", out4), ("6", out6)):
        for v, packet, record, eth_type in INNER:
            name = f"gre{o}_{v}"
            tunnel(name, outer(47, gre(eth_type, packet)), record, "gre")
            for kind, more in (("key", {"key": 77}), ("seq", {"seq": 1}), ("check", {"check": True}),
                               ("key_seq", {"key": 77, "seq": 1}),
                               ("everything", {"key": 77, "seq": 1, "check": True})):
                inside = dict(record, tunnel="gre", decapsulated=True)
                if "key" in more:
                    inside["tunnel_id"] = 77
                case(f"{name}_{kind}", eth(outer(47, gre(eth_type, packet, **more))), inside, decap="all")
            tunnel(f"{name}_ethernet", outer(47, gre(TEB, eth(packet), key=0x00123401)), record, "gre",
                   0x00123401)
            case(f"{name}_mpls", eth(outer(47, gre(MPLS, labels(2) + packet))),
                 dict(record, tunnel="gre", decapsulated=True), decap="all")
            case(f"{name}_ethernet_vlan", eth(outer(47, gre(TEB, eth(packet, tags=[(0x8100, 9)])))),
                 dict(record, tunnel="gre", decapsulated=True, vlan=9), decap="all")
            tunnel(f"erspan1_{o}_{v}", outer(47, gre(0x88BE, eth(packet))), record, "erspan")
            tunnel(f"erspan2_{o}_{v}", outer(47, gre(0x88BE, erspan2(33, eth(packet)), seq=9)), record,
                   "erspan", 33)
            tunnel(f"erspan3_{o}_{v}", outer(47, gre(0x22EB, erspan3(34, eth(packet)), seq=9)), record,
                   "erspan", 34)
            case(f"erspan3_ip_{o}_{v}", eth(outer(47, gre(0x22EB, struct.pack("!IIHH", 2 << 28 | 34, 77, 0, 2 << 10) +
                                                         packet, seq=9))),
                 dict(record, tunnel="erspan", tunnel_id=34, decapsulated=True), decap="all")
            case(f"erspan3_sub_{o}_{v}", eth(outer(47, gre(0x22EB, erspan3(34, eth(packet), True), seq=9))),
                 dict(record, tunnel="erspan", tunnel_id=34, decapsulated=True), decap="all")
    case("gre_routing", eth(out4(47, gre(IP4, p4(), routing=True))), "frames_tunnel_malformed", decap="all")
    case("gre_version_1_other", eth(out4(47, gre(IP4, p4(), version=1))), "frames_tunnel_malformed",
         decap="all")
    case("gre_arp", eth(out4(47, gre(ARP, bytes(28)))), "frames_not_ip", decap="all")
    case("gre_no_room", eth(out4(47, b"\0\0")), "frames_tunnel_malformed", decap="all")
    case("gre_no_room_for_key", eth(out4(47, gre(IP4, b"", key=1)[:6])), "frames_tunnel_malformed", decap="all")
    whole = eth(out4(47, gre(IP4, p4(), key=1)))
    for cut in (34, 37, 41, 61, 81):
        case(f"gre_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole), decap="all")


def tunnels_udp():
    for o, outer in (("4", out4), ("6", out6)):
        for v, packet, record, eth_type in INNER:
            for port in (4789, 8472):
                tunnel(f"vxlan{port}_{o}_{v}", outer(17, udp(50000, port, vxlan(42, eth(packet)))), record,
                       "vxlan", 42)
            case(f"vxlan_vlan_{o}_{v}", eth(outer(17, udp(50000, 4789, vxlan(42, eth(packet, tags=[(0x8100, 6)]))))),
                 dict(record, tunnel="vxlan", tunnel_id=42, vlan=6, decapsulated=True), decap="all")
            number = 1 if eth_type == IP4 else 2
            tunnel(f"gpe_ip_{o}_{v}", outer(17, udp(50000, 4790, gpe(43, number, packet))), record,
                   "vxlan-gpe", 43)
            case(f"gpe_ethernet_{o}_{v}", eth(outer(17, udp(50000, 4790, gpe(43, 3, eth(packet))))),
                 dict(record, tunnel="vxlan-gpe", tunnel_id=43, decapsulated=True), decap="all")
            case(f"gpe_mpls_{o}_{v}", eth(outer(17, udp(50000, 4790, gpe(43, 5, labels(1) + packet)))),
                 dict(record, tunnel="vxlan-gpe", tunnel_id=43, decapsulated=True), decap="all")
            tunnel(f"geneve_ip_{o}_{v}", outer(17, udp(50000, 6081, geneve(44, eth_type, packet))), record,
                   "geneve", 44)
            for words in (0, 1, 5, 63):
                case(f"geneve_{words}_{o}_{v}",
                     eth(outer(17, udp(50000, 6081, geneve(44, TEB, eth(packet), bytes(4 * words))))),
                     dict(record, tunnel="geneve", tunnel_id=44, decapsulated=True), decap="all")
            tunnel(f"gtp_{o}_{v}", outer(17, udp(2152, 2152, gtp(45, packet))), record, "gtp-u", 45)
            for kind, more in (("seq", {"seq": 3}), ("ext", {"extensions": [b"\x10\1"]}),
                               ("ext_2", {"extensions": [b"\x10\1", bytes(6)]})):
                case(f"gtp_{kind}_{o}_{v}", eth(outer(17, udp(40001, 2152, gtp(45, packet, **more)))),
                     dict(record, tunnel="gtp-u", tunnel_id=45, decapsulated=True), decap="all")
            case(f"gtp_from_{o}_{v}", eth(outer(17, udp(2152, 40001, gtp(45, packet)))),
                 dict(record, tunnel="gtp-u", tunnel_id=45, decapsulated=True), decap="all")
    def inside(port, payload, sport=50000):
        return eth(out4(17, udp(sport, port, payload)))
    case("vxlan_no_flag", inside(4789, vxlan(1, eth(p4()), 0)), "frames_tunnel_malformed", decap="all")
    case("vxlan_no_room", inside(4789, b"\x08\0\0"), "frames_tunnel_malformed", decap="all")
    case("vxlan_arp", inside(4789, vxlan(1, eth(bytes(28), ARP))), "frames_not_ip", decap="all")
    case("gpe_nsh", inside(4790, gpe(1, 4, nsh(1, p4()))), dict(T4, tunnel="vxlan-gpe", tunnel_id=1,
                                                                decapsulated=True), decap="all")
    case("gpe_other", inside(4790, gpe(1, 6, bytes(40))), "frames_not_ip", decap="all")
    case("geneve_version", inside(6081, geneve(1, TEB, eth(p4()), version=1)), "frames_tunnel_malformed",
         decap="all")
    case("geneve_options_beyond", inside(6081, struct.pack("!BBHI", 63, 0, TEB, 256) + bytes(20)),
         "frames_tunnel_malformed", decap="all")
    case("geneve_arp", inside(6081, geneve(1, ARP, bytes(28))), "frames_not_ip", decap="all")
    for name, kind in (("echo", 1), ("error", 26), ("end_marker", 254)):
        case(f"gtp_{name}", inside(2152, gtp(1, bytes(20), kind=kind)), "frames_not_tcp", decap="all")
    for version in (0, 2):
        case(f"gtp_version_{version}", inside(2152, gtp(1, p4(), version=version)), "frames_not_tcp",
             decap="all")
    case("gtp_extension_0", inside(2152, struct.pack("!BBHI", 0x34, 0xFF, 8, 1) + b"\0\0\0\x85" + bytes(8)),
         "frames_tunnel_malformed", decap="all")
    case("udp_other_port", inside(53, bytes(30)), "frames_not_tcp", decap="all")
    case("udp_from_vxlan_port", inside(53, bytes(30), sport=4789), "frames_not_tcp", decap="all")
    whole = inside(4789, vxlan(42, eth(p4())))
    for cut in (34, 41, 42, 49, 50, 63, 64, 83, 103):
        case(f"vxlan_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole), decap="all")
    case("vxlan_cut_at_104", whole[:104], dict(T4, tunnel="vxlan", tunnel_id=42, decapsulated=True),
         wire=len(whole), decap="all")


def tunnels_l2tp():
    for o, outer in (("4", out4), ("6", out6)):
        for v, packet, record, eth_type in INNER:
            for size in (0, 4, 8, 12):
                session = struct.pack("!I", 46) + b"\xc0" * size
                inside = dict(record, tunnel="l2tpv3", tunnel_id=46, decapsulated=True)
                case(f"l2tp_{size}_{o}_{v}", eth(outer(115, session + eth(packet))), inside, decap="all")
                case(f"l2tp_udp_{size}_{o}_{v}",
                     eth(outer(17, udp(1701, 1701, struct.pack("!HH", 3, 0) + session + eth(packet)))),
                     inside, decap="all")
            tunnel(f"l2tp_{o}_{v}", outer(115, struct.pack("!I", 46) + eth(packet)), record, "l2tpv3", 46)
    case("l2tp_control", eth(out4(115, bytes(4) + bytes(30))), "frames_not_tcp", decap="all")


def tunnels_teredo():
    origin = b"\0\0" + bytes(6)
    for o, outer in (("4", out4), ("6", out6)):
        tunnel(f"teredo_{o}", outer(17, udp(3544, 50000, p6())), T6, "teredo")
        tunnel(f"teredo_to_{o}", outer(17, udp(50000, 3544, p6())), T6, "teredo")
        for name, before in (("origin", origin), ("auth", b"\0\1\0\0" + bytes(9)),
                             ("auth_long", b"\0\1\4\5" + bytes(18)),
                             ("both", b"\0\1\0\0" + bytes(9) + origin)):
            case(f"teredo_{name}_{o}", eth(outer(17, udp(3544, 50000, before + p6()))),
                 dict(T6, tunnel="teredo", decapsulated=True), decap="all")
    def inside(payload):
        return eth(out4(17, udp(3544, 50000, payload)))
    case("teredo_bubble", inside(raw6(A6, B6, 59, b"")), "frames_not_tcp", decap="all")
    case("teredo_other", inside(p4()), "frames_not_tcp", decap="all")
    case("teredo_no_room", inside(b"\0\1"), "frames_tunnel_malformed", decap="all")
    case("teredo_auth_beyond", inside(b"\0\1\xff\xff" + p6()), "frames_tunnel_malformed", decap="all")
    whole = inside(origin + p6())
    for cut in (42, 45, 50, 89, 109):
        case(f"teredo_cut_at_{cut}", whole[:cut], "frames_truncated", wire=len(whole), decap="all")


def tunnels_not_followed():
    """Tunnels no --decap names: counted as such, with and without it."""
    shapes = [(f"pptp_{o}", outer(47, gre(0x880B, b"\xff\3\0\x21" + p4(), key=1, seq=1, version=1)))
              for o, outer in (("4", out4), ("6", out6))]
    shapes += [(f"proto_{proto}_{o}", outer(proto, bytes(4) + eth(p4())))
               for proto in (97, 137, 143) for o, outer in (("4", out4), ("6", out6))]
    shapes += [(f"udp_{port}", out4(17, udp(50000, port, p4()))) for port in (4341, 4754, 6080, 6635)]
    shapes += [("l2tpv2", out4(17, udp(1701, 1701, struct.pack("!HHH", 2, 1, 1) + b"\xff\3\0\x21" + p4())))]
    for name, packet in shapes:
        for decap in ("none", "all"):
            case(f"unfollowed_{name}_{decap}", eth(packet), "frames_tunnel", decap=decap)


def tunnels_nested():
    inner = (("ipip", lambda p: out4(4, p), None),
             ("gre", lambda p: out4(47, gre(IP4, p, key=50)), 50),
             ("vxlan", lambda p: out4(17, udp(5, 4789, vxlan(51, eth(p)))), 51),
             ("geneve", lambda p: out4(17, udp(5, 6081, geneve(52, IP4, p))), 52),
             ("gtp-u", lambda p: out4(17, udp(2152, 2152, gtp(53, p))), 53))
    for a, wrap_a, id_a in inner:
        for b, wrap_b, id_b in inner:
            both = dict(T4, tunnel=f"{a}/{b}", decapsulated=True)
            number = id_b if id_b is not None else id_a
            if number is not None:
                both["tunnel_id"] = number
            case(f"nested_{a}_{b}", eth(wrap_a(wrap_b(p4()))), both, decap="all")
            case(f"nested_{a}_{b}_once", eth(wrap_a(wrap_b(p4()))),
                 both if a == b else "frames_tunnel", decap=a)
            case(f"nested_{a}_{b}_vxlan", eth(wrap_a(wrap_b(inner[2][1](p4())))), "frames_tunnel_deep",
                 decap="all")


# ---------------------------------------------------------------- ICMP

def icmp4(kind, code, quoted):
    body = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    return ipv4("192.0.2.9", A4, body[:2] + struct.pack("!H", checksum(body)) + body[4:], proto=1)


def icmp6(kind, code, quoted):
    return raw6("2001:db8::9", A6, 58, struct.pack("!BBHI", kind, code, 0, 0) + quoted)


def icmp():
    syn4 = ipv4(A4, B4, segment(payload=0, flags=SYN))
    syn6 = ipv6(A6, B6, segment(A6, B6, 0, SYN))
    for code in range(16):
        case(f"icmp_3_{code}", eth(icmp4(3, code, syn4)), "frames_icmp_errors")
    for code in (0, 1):
        case(f"icmp_11_{code}", eth(icmp4(11, code, syn4)), "frames_icmp_errors")
    case("icmp_12", eth(icmp4(12, 0, syn4)), "frames_icmp_errors")
    for code in range(8):
        case(f"icmp6_1_{code}", eth(icmp6(1, code, syn6)), "frames_icmp_errors")
    for kind in (2, 3, 4):
        case(f"icmp6_{kind}", eth(icmp6(kind, 0, syn6)), "frames_icmp_errors")
    case("icmp_quotes_8_bytes", eth(icmp4(3, 3, syn4[:28])), "frames_icmp_errors")
    case("icmp_quotes_7_bytes", eth(icmp4(3, 3, syn4[:27])), "frames_icmp_errors")
    # Nobody sends an error about a later fragment (RFC 1122, 3.2.2).
    case("icmp_quotes_fragment", eth(icmp4(3, 3, p4(fragment=5))), "frames_not_tcp")
    case("icmp_quotes_options", eth(icmp4(3, 3, ipv4(A4, B4, segment(), options=b"\1" * 8))), "frames_icmp_errors")
    case("icmp_vlan", eth(icmp4(3, 3, syn4), tags=[(0x8100, 7)]), "frames_icmp_errors")
    case("icmp_quotes_udp", eth(icmp4(3, 3, ipv4(A4, B4, bytes(16), proto=17))), "frames_not_tcp")
    case("icmp6_quotes_udp", eth(icmp6(1, 4, raw6(A6, B6, 17, bytes(16)))), "frames_not_tcp")
    for kind in (0, 8, 9, 13):
        case(f"icmp_type_{kind}", eth(icmp4(kind, 0, syn4)), "frames_not_tcp")
    for kind in (128, 129, 133, 134, 135, 136):
        case(f"icmp6_type_{kind}", eth(icmp6(kind, 0, syn6)), "frames_not_tcp")


# What an error says of the SYN it quotes: the words of the codes are those of RFC 792, RFC 1122 (3.2.2.1),
# RFC 1812 (5.2.7.1) and RFC 4443 (3.1: codes 5 and 6 are kinds of code 1).
UNREACHABLE4 = {0: "net", 1: "host", 2: "protocol", 3: "port", 4: "frag-needed", 5: "host", 6: "net", 7: "host",
                8: "net", 9: "admin", 10: "admin", 11: "net", 12: "host", 13: "admin", 14: "host", 15: "host",
                16: "host", 255: "host"}
UNREACHABLE6 = {0: "net", 1: "admin", 2: "net", 3: "host", 4: "port", 5: "admin", 6: "admin", 7: "host", 8: "host",
                255: "host"}
ERRORS4 = [(3, code, word) for code, word in UNREACHABLE4.items()] + \
    [(11, code, "ttl") for code in (0, 1)] + [(12, code, "parameter") for code in (0, 1, 2)]
ERRORS6 = [(1, code, word) for code, word in UNREACHABLE6.items()] + [(2, 0, "frag-needed")] + \
    [(3, code, "ttl") for code in (0, 1)] + [(4, code, "parameter") for code in (0, 1, 2, 3)]


def opened(src, dst, icmp_word=None, outcome="unreachable", errors=1, marked=1, tracked_frames=1, **more):
    """The record of a connection that sent a SYN and got errors, of which so many told something."""
    return dict({"opener_addr": src, "responder_addr": dst, "opener_port": PORTS[0], "responder_port": PORTS[1],
                 "outcome": outcome, "icmp": icmp_word, "opener_payload_bytes": 0,
                 "counters": {"frames_tracked": tracked_frames, "frames_icmp_errors": errors,
                              "unreachables": marked}}, **more)


def icmp_words():
    syn4 = ipv4(A4, B4, segment(payload=0, flags=SYN))
    syn6 = ipv6(A6, B6, segment(A6, B6, 0, SYN))
    for kind, code, word in ERRORS4:
        conversation(f"icmp_says_{kind}_{code}", [eth(syn4), eth(icmp4(kind, code, syn4))], opened(A4, B4, word))
    for kind, code, word in ERRORS6:
        conversation(f"icmp6_says_{kind}_{code}", [eth(syn6), eth(icmp6(kind, code, syn6))], opened(A6, B6, word))
    # No other type is an error, whatever stands where a quote would.
    others = [eth(icmp4(kind, code, syn4)) for kind in range(256) if kind not in (3, 11, 12) for code in (0, 3)]
    conversation("icmp_says_others", [eth(syn4), *others], silent(A4, B4, len(others)))
    others = [eth(icmp6(kind, code, syn6)) for kind in range(256) if kind not in (1, 2, 3, 4) for code in (0, 3)]
    conversation("icmp6_says_others", [eth(syn6), *others], silent(A6, B6, len(others)))


def silent(src, dst, not_tcp=0, errors=0, **more):
    """Errors that say nothing of it: nobody answered."""
    record = opened(src, dst, None, "no_answer", errors, 0, **more)
    record["counters"]["frames_not_tcp"] = not_tcp
    return record


def icmp_quotes():
    """The shapes of a quote, about a SYN that has no answer."""
    options = b"\2\4\5\xb4\4\2\1\1"
    tcp4, tcp6 = segment(payload=0, flags=SYN, options=options), segment(A6, B6, 0, SYN, options=options)
    syn4, syn6 = ipv4(A4, B4, tcp4), ipv6(A6, B6, tcp6)
    admin4, port6 = opened(A4, B4, "admin"), opened(A6, B6, "port")
    for size in (8, 9, 19, 20, 24):
        conversation(f"icmp_quote_{size}", [eth(syn4), eth(icmp4(3, 13, syn4[:20 + size]))], admin4)
        conversation(f"icmp6_quote_{size}", [eth(syn6), eth(icmp6(1, 4, syn6[:40 + size]))], port6)
    for size in (0, 4, 7):
        conversation(f"icmp_quote_{size}", [eth(syn4), eth(icmp4(3, 13, syn4[:20 + size]))], silent(A4, B4, errors=1))
        conversation(f"icmp6_quote_{size}", [eth(syn6), eth(icmp6(1, 4, syn6[:40 + size]))], silent(A6, B6, errors=1))
    with_route = ipv4(A4, B4, tcp4, options=b"\x07\x07\x04\0\0\0\0\0")
    for name, quoted in (("options", with_route), ("options_and_8", with_route[:36]), ("ttl_0", syn4[:8] + b"\0" + syn4[9:]),
                         ("total_0", ipv4(A4, B4, tcp4, total=0)), ("overlong", ipv4(A4, B4, tcp4, total=1500)),
                         ("first_fragment", ipv4(A4, B4, tcp4, fragment=0x2000)),
                         ("rfc4884", syn4.ljust(128, b"\0") + bytes.fromhex("2000000000080101000101ff"))):
        conversation(f"icmp_quote_{name}", [eth(ipv4(A4, B4, tcp4)), eth(icmp4(3, 13, quoted))], admin4)
    for name, headers in (("dest", [extension(DEST)]), ("hbh_dest", [extension(HBH), extension(DEST)]),
                          ("atomic", [extension(FRAGMENT)]), ("ah", [extension(AH)])):
        inside = ipv6(A6, B6, tcp6, extensions=headers)
        conversation(f"icmp6_quote_{name}", [eth(inside), eth(icmp6(1, 4, inside))], port6)
        conversation(f"icmp6_quote_{name}_and_8", [eth(inside), eth(icmp6(1, 4, inside[:len(inside) - len(tcp6) + 8]))], port6)
    error6 = icmp6(1, 4, syn6)
    conversation("icmp6_behind_hbh", [eth(syn6), eth(raw6("2001:db8::9", A6, HBH, b"\x3a\0\1\4\0\0\0\0" + error6[40:]))], port6)
    for name, tags in (("vlan", [(0x8100, 7)]), ("qinq", [(0x88A8, 7), (0x8100, 8)])):
        conversation(f"icmp_in_{name}", [eth(syn4, tags=tags), eth(icmp4(3, 13, syn4), tags=tags)], dict(admin4, vlan=7))
        conversation(f"icmp6_in_{name}", [eth(syn6, tags=tags), eth(icmp6(1, 4, syn6), tags=tags)], dict(port6, vlan=7))
    # The error may take a way of its own: a tag is no part of a connection's name.
    conversation("icmp_from_vlan", [eth(syn4), eth(icmp4(3, 13, syn4), tags=[(0x8100, 7)])], admin4)
    conversation("icmp_in_mpls", [eth(labels(2) + syn4, MPLS), eth(labels(1) + icmp4(3, 13, syn4), MPLS)], admin4)
    conversation("icmp_in_ipip", [eth(out4(4, syn4)), eth(out4(4, icmp4(3, 13, syn4)))],
                 dict(admin4, tunnel="ipip"), decap="ipip")
    for link, name in ((RAW, "raw"), (SLL, "sll")):
        def wrap(packet, link=link):
            return packet if link == RAW else struct.pack("!HHH8sH", 0, 1, 6, bytes(8), IP4) + packet
        conversation(f"icmp_in_{name}", [wrap(syn4), wrap(icmp4(3, 13, syn4))], admin4, link=link)


def icmp_about_others():
    """Errors that must not change what is known of a connection."""
    for v, src, dst, ip, error in (("", A4, B4, ipv4, lambda quoted: eth(icmp4(3, 13, quoted))),
                                   ("6", A6, B6, ipv6, lambda quoted: eth(icmp6(1, 1, quoted)))):
        def sent(flags, seq, ack, payload=b"", back=False, src=src, dst=dst, ip=ip, ports=PORTS):
            ends = (dst, src, *reversed(ports)) if back else (src, dst, *ports)
            return ip(*ends[:2], tcp(*ends, seq, ack, flags, payload))
        syn, synack = sent(SYN, 1000, 0), sent(SYN | ACK, 9000, 1001, back=True)
        ack, data = sent(ACK, 1001, 9001), sent(PSH | ACK, 1001, 9001, b"x" * 10)
        answered = dict(outcome="abandoned", marked=0, tracked_frames=2)
        settled = dict(outcome="established", marked=0, tracked_frames=4, opener_payload_bytes=10)
        told = f"icmp{v}_about_"
        for name, quoted in (("another_number", sent(SYN, 1001, 0)), ("number_below", sent(SYN, 999, 0)),
                             ("another_port", sent(SYN, 1000, 0, ports=(40001, 80))),
                             ("the_other_way", sent(SYN, 1000, 0, back=True))):
            conversation(told + name, [eth(syn), error(quoted)], silent(src, dst, errors=1))
        conversation(told + "synack", [eth(syn), eth(synack), error(synack)], opened(src, dst, **answered))
        conversation(told + "answered_syn", [eth(syn), eth(synack), error(syn)], opened(src, dst, **answered))
        for name, quoted in (("established", data), ("established_8", data[:-22]), ("established_syn", syn)):
            conversation(told + name, [*map(eth, (syn, synack, ack, data)), error(quoted)], opened(src, dst, **settled))
        # What was told before the answer came stays in the record beside what became of it.
        conversation(told + "syn_then_answered", [eth(syn), error(syn), *map(eth, (syn, synack, ack, data))],
                     opened(src, dst, "admin", **dict(settled, marked=1, tracked_frames=5)))
        reset = sent(RST | ACK, 0, 1001, back=True)
        conversation(told + "syn_then_refused", [eth(syn), error(syn), eth(reset)],
                     opened(src, dst, "admin", "refused", tracked_frames=2))
        conversation(told + "syn_twice", [eth(syn), eth(syn), error(syn)], opened(src, dst, "admin", tracked_frames=2))
    # An error about an error (RFC 1122, 3.2.2), and one about a tunnel that carries the SYN.
    syn4 = ipv4(A4, B4, segment(payload=0, flags=SYN))
    conversation("icmp_about_error", [eth(syn4), eth(icmp4(3, 13, icmp4(3, 13, syn4)))], silent(A4, B4, 1))
    conversation("icmp_about_tunnel", [eth(syn4), eth(icmp4(3, 13, out4(4, syn4)))], silent(A4, B4, 1))


FAMILIES = (plain, cut_by_capture, cut_on_the_wire, ipv4_headers, ipv4_fragments, ipv4_ah, ipv6_headers,
            ipv6_extensions, ipv6_jumbograms, tcp_headers, vlans, mpls, pppoe, links, rarer_tags, wireless, nflogs,
            tunnels_ip, tunnels_gre, tunnels_udp, tunnels_l2tp, tunnels_teredo, tunnels_not_followed, tunnels_nested, icmp,
            icmp_words, icmp_quotes, icmp_about_others)


# enum frame_link, in the order of core/frame.h.
LINKS = {EN10MB: 0, RAW: 1, 12: 1, 14: 1, IPV4: 1, IPV6: 1, SLL: 2, SLL2: 3, NULL: 4, LOOP: 4, PPP: 5,
         PPP_HDLC: 5, PPP_DIRECTION: 6, PPPOE: 7, HDLC: 8, WLAN: 9, RADIOTAP: 10, NFLOG: 11, FDDI: 12,
         RFC1483: 13}


def write_seed(path, one, data):
    bits = (one["decap"] != "none") | (one["wire"] > len(data)) << 1
    with open(path, "wb") as file:
        file.write(struct.pack("<BBH", LINKS[one["link"]], bits, len(data)) + data)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    if len(sys.argv) == 3:
        os.makedirs(sys.argv[2], exist_ok=True)
    for family in FAMILIES:
        family()
    for one in cases:
        if len(sys.argv) == 3 and not one["before"]:
            write_seed(os.path.join(sys.argv[2], one["name"]), one, one["data"])
        with open(os.path.join(out, one["name"] + ".pcap"), "wb") as file:
            file.write(pcap(one))
        one["shape"] = [frame.hex() for frame in one.pop("before") + [one.pop("data")]]
    with open(os.path.join(out, "cases.json"), "w", encoding="ascii") as file:
        json.dump(cases, file)
    print(f"{len(cases)} captures, {len({(*c['shape'], c['wire'], c['link']) for c in cases})} different frames")


if __name__ == "__main__":
    main()
