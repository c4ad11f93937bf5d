# SPDX-License-Identifier: GPL-2.0-only
"""Connections that nobody makes: their frames are put on one end of a veth pair, and come in at the other."""
import socket
import struct

SYN, ACK, PSH, FIN = 2, 16, 8, 1
HEADERS = struct.Struct("!14sBBHHHBBH4s4sHHIIBBHHH")
ETHERNET = b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0"


def segment(source, target, sport, dport, seq, ack, flags, payload=b""):
    return HEADERS.pack(ETHERNET, 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0, source, target, sport, dport, seq, ack,
                        0x50, flags, 1000, 0, 0) + payload


def connection(opener, responder, sport, dport=80, request=b"?" * 10, response=b"!" * 20):
    """Opened, one question, one answer; still open."""
    a, b = socket.inet_aton(opener), socket.inet_aton(responder)
    x, y = 1000, 500000
    return [segment(a, b, sport, dport, x, 0, SYN),
            segment(b, a, dport, sport, y, x + 1, SYN | ACK),
            segment(a, b, sport, dport, x + 1, y + 1, ACK),
            segment(a, b, sport, dport, x + 1, y + 1, ACK | PSH, request),
            segment(b, a, dport, sport, y + 1, x + 1 + len(request), ACK | PSH, response),
            segment(a, b, sport, dport, x + 1 + len(request), y + 1 + len(response), ACK)]


class Wire:
    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))

    def put(self, frames):
        for frame in frames:
            self.socket.send(frame)
