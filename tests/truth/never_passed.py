#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which packets a tap could not know of: sent again and lost again, or the first of their kind to pass.

usage: never_passed.py SENDER-CAPTURE TAP-CAPTURE      pcap of Ethernet, gzipped or not

Two captures of the same connections, at the sender and behind a loss. Each segment that was sent again and
that nobody at the tap can count is listed with its frame number at the sender, and why.
"""
import collections
import gzip
import struct
import sys

FIN, SYN, RST = 1, 2, 4
ENDIANS = {b'\xd4\xc3\xb2\xa1': '<', b'\x4d\x3c\xb2\xa1': '<',
           b'\xa1\xb2\xc3\xd4': '>', b'\xa1\xb2\x3c\x4d': '>'}

# sacked: what the receiver misses from the acknowledgment on ends there; None: it misses nothing it knows of.
# again: octets that came twice, as a D-SACK tells (RFC 2883); 0: no D-SACK.
Segment = collections.namedtuple('Segment', 'frame way seq length payload flags identity ack sacked again')


def records(path):
    with open(path, 'rb') as file:
        data = file.read()
    if data[:2] == b'\x1f\x8b':
        data = gzip.decompress(data)
    endian, at = ENDIANS[data[:4]], 24
    while at + 16 <= len(data):
        captured = struct.unpack_from(endian + 'I', data, at + 8)[0]
        yield data[at + 16:at + 16 + captured]
        at += 16 + captured


def option(options, kind):
    at = 0
    while at + 1 < len(options) and options[at]:
        if options[at] == 1:
            at += 1
        elif options[at] == kind:
            return options[at + 2:at + options[at + 1]]
        else:
            at += max(options[at + 1], 2)
    return b''


def lowest_sacked(options, ack):
    blocks = option(options, 5)
    starts = struct.unpack('>%dI' % (len(blocks) // 4), blocks[:len(blocks) // 4 * 4])[::2]
    above = [(start - ack) % (1 << 32) for start in starts] # a D-SACK lies below
    above = [distance for distance in above if 0 < distance < 1 << 31]
    return (ack + min(above)) % (1 << 32) if above else None


def duplicate_sacked(options, ack):
    words = option(options, 5)
    edges = struct.unpack('>%dI' % (len(words) // 4), words[:len(words) // 4 * 4])
    if len(edges) < 2:
        return 0
    length = (edges[1] - edges[0]) % (1 << 32)
    below = (ack - edges[1]) % (1 << 32) < 1 << 31
    within = len(edges) >= 4 and (edges[0] - edges[2]) % (1 << 32) + length <= (edges[3] - edges[2]) % (1 << 32)
    return length if below or within else 0


def segments(path):
    """All but resets, in the order of the capture; what takes no sequence space still passes others by."""
    for number, frame in enumerate(records(path), 1):
        eth_type = frame[12:14]
        if eth_type == b'\x08\x00' and frame[23] == 6:
            start, ends, ip_id = 14 + (frame[14] & 15) * 4, frame[26:34], frame[18:20]
            end = 14 + struct.unpack_from('>H', frame, 16)[0]
        elif eth_type == b'\x86\xdd' and frame[20] == 6:
            start, ends, ip_id = 54, frame[22:54], b''
            end = 54 + struct.unpack_from('>H', frame, 18)[0]
        else:
            continue
        ports = frame[start:start + 4]
        seq, ack, offset, flags = struct.unpack_from('>IIBB', frame, start + 4)
        data = start + (offset >> 4) * 4
        payload = end - data
        length = payload + bool(flags & SYN) + bool(flags & FIN)
        if flags & RST:
            continue
        half = len(ends) // 2
        way = ends[:half], ports[:2], ends[half:], ports[2:]
        options = frame[start + 20:data]
        identity = seq, length, flags, ack, ip_id, option(options, 8)
        yield Segment(number, way, seq, length, payload, flags, identity, ack, lowest_sacked(options, ack),
                      duplicate_sacked(options, ack))


def by_way(path):
    ways = collections.defaultdict(list)
    for segment in segments(path):
        ways[segment.way].append(segment)
    return ways


class Seen:
    """Octets that passed, by their distance from the first one; a transfer is far smaller than 2^31."""

    BELOW = 1 << 16

    def __init__(self):
        self.first, self.octets, self.high = None, bytearray(), 0

    def span(self, segment):
        if self.first is None:
            self.first = segment.seq
        start = (segment.seq - self.first + self.BELOW) % (1 << 32)
        return start, start + segment.length

    def holds(self, segment):
        start, end = self.span(segment)
        return any(self.octets[start:end])

    def holds_all(self, first, end):
        start = (first - self.first + self.BELOW) % (1 << 32)
        end = start + (end - first) % (1 << 32)
        return end <= len(self.octets) and all(self.octets[start:end])

    def passed_by(self, segment):
        return self.span(segment)[1] <= self.high

    def add(self, segment):
        start, end = self.span(segment)
        self.octets.extend(bytes(max(0, end - len(self.octets))))
        self.octets[start:end] = b'\1' * (end - start)
        self.high = max(self.high, end)


def unseen(sent, passed):
    """(segment, why) of each in `sent` that was sent again, and cannot be counted where `passed` was seen."""
    # Of two that are the same in all we look at and one of which passed, it is the later.
    order = collections.defaultdict(list)
    for index, segment in enumerate(passed):
        order[segment.identity].append(index)
    came = {}
    for segment in reversed(sent):
        came[segment.frame] = order[segment.identity].pop() if order[segment.identity] else None
    before, again = Seen(), []
    for segment in sent:
        if before.holds(segment) and not segment.flags & SYN:
            again.append((segment, came[segment.frame]))
        before.add(segment)

    tap, countable = Seen(), set()
    for index, segment in enumerate(passed):
        if tap.first is not None and (tap.holds(segment) or tap.passed_by(segment)):
            countable.add(index)
        tap.add(segment)
    for segment, index in again:
        if index is None:
            yield segment, 'was lost again'
        elif index not in countable:
            yield segment, 'came first, and nothing behind it had passed'


def overtaken_behind(passed, answers):
    """How many answers say that octets are missing, and others above them not, which had all passed here."""
    seen, count = Seen(), 0
    for segment in sorted(passed + answers, key=lambda segment: segment.frame):
        if segment.way == passed[0].way:
            seen.add(segment)
        elif segment.sacked is not None:
            count += seen.first is not None and seen.holds_all(segment.ack, segment.sacked)
    return count


def told_together(sent, answers):
    """How many segments the D-SACKs in `answers` tell of, by the largest of them, beyond one each."""
    largest = max((segment.payload for segment in sent), default=1) or 1
    return sum((segment.again - 1) // largest for segment in answers if segment.again)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    passed = by_way(sys.argv[2])
    for way, sent in by_way(sys.argv[1]).items():
        for segment, why in unseen(sent, passed[way]):
            print('port %d: frame %d, %d octets sent again, %s' % (
                struct.unpack('>H', way[1])[0], segment.frame, segment.length, why))


if __name__ == '__main__':
    main()
