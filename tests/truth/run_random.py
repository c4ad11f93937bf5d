#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Random segments, and what the definitions of docs/measurements.md make of them, octet by octet.

usage: run_random.py [SEED [CONNECTIONS]]      ACKMON=build/ackmon; speaks TAP

No stack sends like this: any octets again, in any pieces, holes of any size across zero, windows that close and open
at random, probes, FINs, doubles and neighbours out of order, from the SYN on or mid-stream. Only what a definition
settles without evidence is compared: what was seen before, what fills a hole, octets, windows, acknowledgments.
"""
import collections
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.environ.get('ACKMON', os.path.join(ROOT, 'build', 'ackmon'))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'golden'))

from make_captures import ACK, FIN, MS, MSS_1460, PSH, START_NS, SYN, Capture, ethernet, ipv4, tcp  # noqa: E402

US = 1000
ENDS = ('opener', 'responder')
SEEN = ('retransmitted', 'late', 'copy')
FILLS = ('recovered', 'reordered', 'unresolved')

# seq, ack and the SACK blocks are octets behind the SYN of the end that numbers them.
Segment = collections.namedtuple('Segment', 'end flags seq length ack window sack')


class Octets:
    """Sorted ranges that do not touch."""

    def __init__(self):
        self.ranges = []

    def add(self, start, end):
        kept = []
        for a, b in self.ranges:
            if b < start or a > end:
                kept.append((a, b))
            else:
                start, end = min(a, start), max(b, end)
        self.ranges = sorted(kept + [(start, end)])

    def among(self, start, end):
        return sum(max(0, min(b, end) - max(a, start)) for a, b in self.ranges)


class Direction:
    """What was sent by one end, as the definitions have it."""

    def __init__(self):
        self.seen, self.first, self.next = Octets(), None, None
        self.from_syn = self.fin = self.probe_waits = False
        self.ack = self.window = self.wscale = self.closed_ns = None
        self.fields = collections.Counter()
        self.classes = {}  # time_ns -> seen, fills, keepalive, window_probe

    def settle_probe(self, peer, seq):
        """The octet of a window probe counts once it was acknowledged or passed by."""
        end = self.next + 1
        if self.probe_waits and (seq >= end or peer.ack is not None and peer.ack >= end):
            self.seen.add(self.next, end)
            self.fields['unique_bytes'] += 1
            self.advance(end)

    def advance(self, end):
        if end > self.next:
            self.next, self.probe_waits = end, False

    def class_of_nothing(self, peer, seq):
        if seq >= self.next or self.fin or self.from_syn and seq < 1:
            self.advance(seq)
            return None
        if seq not in (self.next - 1, None if peer.ack is None else peer.ack - 1):
            return None
        return 'window_probe' if peer.window == 0 else 'keepalive'

    def class_of_octets(self, peer, segment, end):
        seq, before = segment.seq, self.seen.among(segment.seq, end)
        if segment.length == 1 and end == seq + 1:
            if peer.window == 0 and (seq == self.next or before and seq == self.next - 1):
                self.probe_waits |= seq == self.next
                return 'window_probe'
            if before and seq == self.next - 1 and peer.ack is not None and peer.ack >= end:
                return 'keepalive'
        told = 'seen' if before else 'fills' if seq < self.next else None
        payload = seq + bool(segment.flags & SYN)
        self.fields['unique_bytes'] += segment.length - self.seen.among(payload, payload + segment.length)
        self.seen.add(seq, end)
        self.advance(end)
        return told

    def fills_window_of(self, peer, segment):
        if not segment.length or not peer.window or peer.ack is None:
            return False
        both = self.wscale is not None and peer.wscale is not None
        return segment.seq + segment.length == peer.ack + (peer.window << (peer.wscale if both else 0))

    def acknowledges(self, peer, segment, now_ns):
        window = segment.window
        plain = not segment.length and not segment.flags & (SYN | FIN)
        self.fields['dup_acks'] += (plain and (segment.ack, window) == (self.ack, self.window) and
                                    peer.next is not None and peer.next > segment.ack)
        self.fields['sacks'] += len(segment.sack)
        first, others = segment.sack[:1], segment.sack[1:2]
        self.fields['dsacks'] += any(b <= segment.ack for _, b in first) or \
            any(c <= a and b <= d for a, b in first for c, d in others)
        if self.ack is not None and segment.ack < self.ack:
            return
        self.ack, self.window = segment.ack, None if segment.flags & SYN else window
        if segment.flags & SYN or segment.flags & FIN and not window:
            return
        if not window and self.closed_ns is None:
            self.closed_ns = now_ns
            self.fields['zero_windows'] += 1
        elif window and self.closed_ns is not None:
            self.fields['zero_window_ns'] += now_ns - self.closed_ns
            self.closed_ns = None

    def passes(self, peer, segment, wscale, now_ns):
        end = segment.seq + segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
        if self.next is None:
            self.first = self.next = segment.seq
        self.fields['frames'] += 1
        self.fields['payload_bytes'] += segment.length
        self.settle_probe(peer, segment.seq)
        told = self.class_of_octets(peer, segment, end) if end > segment.seq else \
            self.class_of_nothing(peer, segment.seq)
        if told:
            self.classes[now_ns] = told
        self.fields['window_full'] += self.fills_window_of(peer, segment)
        if segment.flags & SYN:
            self.wscale, self.from_syn = wscale, True
        if segment.flags & ACK:
            self.acknowledges(peer, segment, now_ns)
        self.fin |= bool(segment.flags & FIN)

    def finish(self, peer, now_ns):
        if self.closed_ns is not None:
            self.fields['zero_window_ns'] += now_ns - self.closed_ns
        if self.next is not None and peer.ack is not None:
            end = max(self.first, min(peer.ack, self.next))
            self.fields['gap_bytes'] = end - self.first - self.seen.among(self.first, end)
        return self.fields


class Talk:
    """One connection: what is sent, what happens to it on its way here, and the frames."""

    def __init__(self, seed, port):
        self.random, self.port = random.Random(seed), port
        choice, number = self.random.choice, self.random.randrange
        self.isn = [choice([1000, 2**32 - 1, 2**32 - 300, 2**32 - 2000, number(2**32)]) for _ in ENDS]
        self.wscale = [choice([None, 0, 3, 7, 14]) for _ in ENDS]
        self.ip_ids = [choice(['count', 'zero', 'random']) for _ in ENDS]
        self.has_ts = self.random.random() < .5
        self.ticks = [number(2**32), number(2**32)]
        self.echo, self.ident, self.now_ns = [0, 0], [number(65536), number(65536)], number(10**10)
        self.passing = []  # time_ns, segment, frame
        self.sent, self.acked, self.window = [1, 1], [1, 1], [60000, 60000]

    def options(self, segment):
        end, out = segment.end, b''
        if segment.flags & SYN:
            out += MSS_1460
            if self.wscale[end] is not None:
                out += bytes([1, 3, 3, self.wscale[end]])
        if self.has_ts:
            tsval = (self.ticks[end] + self.now_ns // MS) % 2**32
            out += struct.pack('!HBBII', 0x0101, 8, 10, tsval, self.echo[1 - end])
            self.echo[end] = tsval
        if segment.sack:
            out += struct.pack('!HBB', 0x0101, 5, 2 + 8 * len(segment.sack))
            out += b''.join(struct.pack('!II', *((self.isn[1 - end] + x) % 2**32 for x in block)) for block in segment.sack)
        return out

    def send(self, end, flags, seq, length=0, sack=()):
        segment = Segment(end, flags, seq, length, self.acked[1 - end], self.window[end], sack)
        self.now_ns += int(self.random.choice([US, 100 * US, MS, 5 * MS, 30 * MS, 300 * MS]) * self.random.uniform(.5, 1.5))
        self.ident[end] = self.ident[end] % 65535 + 1
        ident = {'count': self.ident[end], 'zero': 0, 'random': self.random.randrange(1, 65536)}[self.ip_ids[end]]
        addresses, ports = ('10.0.0.1', '10.0.0.2'), (self.port, 80)
        order = slice(None, None, -1 if end else 1)
        packet = tcp(*addresses[order], *ports[order], self.isn[end] + seq, self.isn[1 - end] + segment.ack if flags & ACK else 0,
                     flags, b'x' * length, self.options(segment), segment.window)
        self.passing.append((self.now_ns, segment, ethernet(ipv4(*addresses[order], packet, ident=ident))))

    def open(self):
        self.send(0, SYN, 0)
        self.send(1, SYN | ACK, 0)
        self.send(0, ACK, 1)

    def piece_again(self, end):
        start = self.random.randrange(max(1, self.sent[end] - self.random.choice([10, 500, 3000])), self.sent[end])
        return start, min(self.sent[end] - start, self.random.choice([1, 10, 100, 700, 1448]))

    def blocks(self, end):
        """Any, of which some are D-SACKs."""
        low, high = self.acked[1 - end], self.sent[1 - end]
        start = self.random.randrange(max(0, low - 1000), high)
        stop = self.random.randrange(start, high) + 1
        if self.random.random() < .6:
            return ((start, stop),)
        return (start, stop), (max(1, start - self.random.randrange(10)), stop + self.random.randrange(10))

    def acknowledge(self, end):
        other = 1 - end
        sack = ()
        if self.sent[other] > self.acked[other]:
            if self.random.random() < .6:
                self.acked[other] = self.random.choice([self.sent[other],
                                                        self.random.randrange(self.acked[other], self.sent[other]) + 1])
            if self.random.random() < .3 and self.sent[other] > max(0, self.acked[other] - 1000):
                sack = self.blocks(end)
        self.send(end, ACK, self.sent[end], sack=sack)

    def step(self, end):
        roll, choice = self.random.random(), self.random.choice
        if roll < .25:
            length = choice([1, 10, 100, 500, 1448, 4000])
            self.send(end, PSH | ACK, self.sent[end], length)
            self.sent[end] += length
        elif roll < .3:  # never comes by here, or later
            self.sent[end] += choice([1, 10, 100, 500])
        elif roll < .48 and self.sent[end] > 1:
            self.send(end, PSH | ACK, *self.piece_again(end))
        elif roll < .52 and self.sent[end] > 1:
            self.send(end, ACK, self.sent[end] - 1, choice([0, 1]))
        elif roll < .57:  # one octet, taken or not
            self.send(end, ACK, self.sent[end], 1)
            self.sent[end] += choice([0, 1])
        elif roll < .7:
            self.window[end] = choice([0, 0, 1, 500, 60000])
            self.send(end, ACK, self.sent[end])
        else:
            self.acknowledge(end)

    def close(self):
        for end in (0, 1):
            length = self.random.choice([0, 0, 100])
            for _ in range(self.random.choice([1, 1, 2])):
                self.window[end] = self.random.choice([self.window[end], 0])
                self.send(end, FIN | ACK, self.sent[end], length)
            self.sent[end] += length + 1
        self.acked = self.sent[:]
        self.send(0, ACK, self.sent[0])
        self.send(1, ACK, self.sent[1])

    def disturb(self):
        """Doubles, and some that come later than what was sent behind them."""
        out = []
        for now_ns, segment, frame in self.passing:
            late_ns = self.random.choice([50 * US, 2 * MS]) if self.random.random() < .03 else 0
            out.append((now_ns + late_ns, segment, frame))
            if self.random.random() < .03:
                out.append((now_ns + late_ns + self.random.choice([500, 3 * US, 900 * US]), segment, frame))
        self.passing = sorted(out, key=lambda passing: passing[0])

    def play(self):
        if self.random.random() < .2:
            self.sent, self.acked = [5000, 6000], [5000, 6000]
        else:
            self.open()
        for _ in range(self.random.choice([10, 40, 120])):
            self.step(self.random.choice([0, 0, 1]))
        if self.random.random() < .7:
            self.close()
        if self.random.random() < .5:
            self.disturb()
        last_ns = 0
        for index, (now_ns, segment, frame) in enumerate(self.passing):
            last_ns = max(now_ns, last_ns + 1)
            self.passing[index] = last_ns, segment, frame
        return self

    def directions(self):
        both = Direction(), Direction()
        for now_ns, segment, _ in self.passing:
            both[segment.end].passes(both[1 - segment.end], segment, self.wscale[segment.end], now_ns)
        for end in (0, 1):
            both[end].finish(both[1 - end], self.passing[-1][0])
        return both


FIELDS = ('frames', 'payload_bytes', 'unique_bytes', 'window_full', 'dup_acks', 'sacks', 'dsacks', 'zero_windows',
          'zero_window_ns', 'gap_bytes', 'holes_dropped', 'suspects')


def mistakes(talk, records, events):
    if len(records) != 1:
        yield '%d records' % len(records)
        return
    record = records[0]
    for end, direction in zip(ENDS, talk.directions()):
        said = {event['time_ns'] - START_NS: event['event'] for event in events
                if event.get('from') == end and event['event'] not in ('opened', 'spurious', 'zero_window')}
        for name in FIELDS:
            if record['%s_%s' % (end, name)] != direction.fields[name]:
                yield '%s_%s is %d, not %d' % (end, name, record['%s_%s' % (end, name)], direction.fields[name])
        again = record[end + '_retransmitted_segments'] + record[end + '_recovered_segments']
        if again != sum(record['%s_%s' % (end, cause)] for cause in ('fast', 'rto', 'probe')):
            yield end + ' has segments without a cause'
        for now_ns in sorted(set(said) | set(direction.classes)):
            told, is_one = direction.classes.get(now_ns), said.get(now_ns)
            if is_one not in {'seen': SEEN, 'fills': FILLS}.get(told, (told,)):
                yield '%s at %d ns is %s: told as %s' % (end, now_ns, told, is_one)


def lines(path, option):
    """NDJSON by the port of the opener."""
    text = subprocess.run([ACKMON, '-q', option, '-r', path], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = collections.defaultdict(list)
    for line in map(json.loads, text.splitlines()):
        found[line['opener_port']].append(line)
    return found


def main(arguments):
    seed, count = (int(argument) for argument in arguments + ['1', '1000'][len(arguments):])
    talks = [Talk(seed * 100000 + number, 10000 + number).play() for number in range(count)]
    capture = Capture()
    for now_ns, _, frame in sorted(((passing for talk in talks for passing in talk.passing)), key=lambda passing: passing[0]):
        capture.add(now_ns, frame)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'random.pcap')
        with open(path, 'wb') as file:
            file.write(capture.pcap(nano=True))
        records, events = lines(path, '-j'), lines(path, '--events')
    wrong = 0
    for talk in talks:
        found = list(mistakes(talk, records[talk.port], events[talk.port]))
        wrong += bool(found)
        for text in found[:3] if wrong < 10 else ():
            print('# port %d: %s' % (talk.port, text))
    print('%s 1 - %d connections of random segments are what the definitions make of them (seed %d)' % (
        'not ok' if wrong else 'ok', count, seed))
    print('1..1')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
