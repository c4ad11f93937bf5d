#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sequence numbers chosen to hurt: state stays bounded, the right counter says it, nothing is called loss.

usage: bad_numbers.py      ACKMON=build/ackmon; speaks TAP

Each capture is made with either end as the one that hurts, with its opening and from the middle on. Records are
held against what the numbers say; as root, the XDP and TC programs against the records, by run_parity.sh.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.environ.get('ACKMON', os.path.join(ROOT, 'build', 'ackmon'))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'golden'))

from make_captures import ACK, FIN, MSS_1460, PSH, RST, SYN, Capture, Connection  # noqa: E402

LOSS = ('retransmitted_segments', 'recovered_segments', 'reordered', 'unresolved', 'late', 'copies',
        'gap_bytes', 'holes_dropped')


class Talk(Connection):
    """A connection one of whose ends hurts; `hurt` says what with, `expect` what its record must say."""

    def __init__(self, hurt, opened, isn=1000):
        first = [5000, 5000]
        first[hurt] = isn
        super().__init__(Capture(), isn=tuple(first))
        self.hurt, self.peer, self.opened = hurt, 1 - hurt, opened
        self.expect = dict.fromkeys(LOSS, 0)
        self.expect.update(suspects=0, fin_retrans=0)
        self.more_records = 0
        if opened:
            self.open()
        else:
            self.next = [1, 1]
            self.send(0, ACK)
            self.send(1, ACK)
        self.sent = self.sent_bytes = 0

    def says(self, payload, seq=None, **more):
        self.send(self.hurt, PSH | ACK, payload, seq=seq, **more)

    def answers(self, ack, **more):
        self.send(self.peer, ACK, ack=ack, **more)

    def end(self):
        # Both say goodbye, which shows that the connection goes on as if nothing had been.
        self.send(self.hurt, FIN | ACK)
        self.send(self.peer, FIN | ACK, after_ms=10)
        self.send(self.hurt, ACK)
        return self


def wrap_inside_a_hole(hurt, opened):
    talk = Talk(hurt, opened, 2**32 - 1501)
    talk.says(500)                    # up to 1,000 before zero
    talk.answers(501, after_ms=10)
    talk.says(500, seq=2501)          # 2,000 were lost, half of them before zero
    for _ in range(3):
        talk.answers(501)
    talk.says(500, seq=1251, after_ms=40)
    talk.says(750, seq=501)
    talk.says(750, seq=1751)
    talk.answers(3001, after_ms=10)
    talk.expect.update(recovered_segments=3, recovered_bytes=2000, unique_bytes=3000, payload_bytes=3000)
    return talk.end()


def ranges_of_2_gigabytes(hurt, opened):
    talk = Talk(hurt, opened)
    far = (2**31, 2**31 - 1, 2**31 + 1, 2**30 + 1, 2**32 - 2**30 - 10, 2**31 - 500)
    for distance in far:
        talk.says(500)
        at = talk.next[hurt]
        talk.says(1000, seq=at + distance)
        talk.next[hurt] = at          # it was never there
        talk.send(hurt, RST | ACK, seq=at + distance + 1, after_ms=0)
        talk.send(hurt, FIN | ACK, seq=at + distance + 2, after_ms=0)
        talk.next[hurt] = at
        talk.answers(at)
    talk.expect.update(suspects=3 * len(far), unique_bytes=500 * len(far), close='fin')
    return talk.end()


def segments_of_64_kb_over_everything(hurt, opened):
    talk = Talk(hurt, opened)
    for index in range(20):           # each second kilobyte is missing
        talk.says(1000, seq=1 + 2000 * index)
    whole = 65535 - 40
    talk.says(whole, seq=1)           # 20,000 of it were seen
    talk.says(whole, seq=1 + 10000)   # 55,495
    talk.says(whole, seq=1 + 5000)    # all
    talk.expect.update(retransmitted_bytes=20000 + whole - 10000 + whole, unique_bytes=whole + 10000,
                       retransmitted_segments=None)
    return talk.end()


def thousands_of_tiny_holes(hurt, opened):
    talk = Talk(hurt, opened)
    for index in range(4000):
        talk.says(3, seq=1 + 6 * index, after_ms=.01)
    # The last 64 are known when all is acknowledged: never seen here, and not lost.
    talk.expect.update(holes_dropped=3999 - 64, gap_bytes=64 * 3, unique_bytes=12000)
    return talk.end()


def resets_and_syns_inside_the_window(hurt, opened):
    talk = Talk(hurt, opened)
    talk.says(500)
    talk.answers(501, after_ms=10)
    at = talk.next[hurt]
    for distance in (1, 100, 5000):   # nobody answers them: each replaces the one before in the first room
        talk.send(hurt, SYN, seq=at + distance, options=MSS_1460)
        talk.next[hurt] = at
        talk.send(talk.peer, ACK, ack=at)  # a challenge ACK
    talk.says(500)
    talk.answers(1001, after_ms=10)
    talk.send(hurt, RST, seq=1200)
    talk.next[hurt] = 1001
    talk.says(500)                    # and yet it goes on
    talk.answers(1501, after_ms=10)
    talk.more_records = 3
    talk.expect.update(unique_bytes=1500, close='rst')
    return talk.end()


def acks_of_the_future(hurt, opened):
    talk = Talk(hurt, opened)
    talk.says(500)
    for ahead in (1, 1000, 65535, 2**29, 2**30, 2**30 + 1, 2**31 - 1, 2**31, 2**31 + 1):
        talk.answers(501 + ahead)
    for _ in range(4):
        talk.says(500)
    talk.says(500, seq=2001, after_ms=400)
    talk.answers(2501, after_ms=10)
    talk.expect.update(retransmitted_segments=1, retransmitted_bytes=500, unique_bytes=2500)
    return talk.end()


def far_below_the_first_number(hurt, opened):
    talk = Talk(hurt, opened)
    talk.says(500)
    talk.answers(501)
    talk.says(500, seq=501 - 2**30 + 1)   # within reach, and nobody has passed it by
    talk.says(500)
    talk.answers(1001)
    talk.expect.update(unresolved=1, unique_bytes=1500)
    return talk.end()


MAKERS = (far_below_the_first_number, wrap_inside_a_hole, ranges_of_2_gigabytes, segments_of_64_kb_over_everything,
          thousands_of_tiny_holes, resets_and_syns_inside_the_window, acks_of_the_future)


def complaints(talk, path):
    done = subprocess.run([ACKMON, '-j', '-r', path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    frames = len(talk.capture.frames)
    tracked = re.search(r'([\d,]+) tracked in', done.stderr)
    if done.returncode:
        yield 'exit code %d: %s' % (done.returncode, done.stderr)
    if not tracked or int(tracked.group(1).replace(',', '')) != frames:
        yield '%d frames, of which are tracked: %s' % (frames, done.stderr)
    ours = [record for record in records if record['outcome'] in ('established', 'midstream')]
    if len(ours) != 1 or len(records) > 1 + talk.more_records:
        yield '%d records, %d of the connection' % (len(records), len(ours))
        return
    record = ours[0]
    # Mid-stream the higher port is taken for the opener, which it is.
    ends = ('opener', 'responder')
    for name, value in talk.expect.items():
        said = record.get('%s_%s' % (ends[talk.hurt], name), record.get(name))
        if value is not None and said != value:
            yield '%s is %s, should be %s' % (name, said, value)
    for name in LOSS + ('suspects',):
        if record['%s_%s' % (ends[talk.peer], name)]:
            yield 'the other end has %s' % name
    if bool(record['approximate']) != bool(talk.expect['holes_dropped']):
        yield 'approximate is %s' % record['approximate']


def main():
    number = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for maker in MAKERS:
            found = []
            for hurt in (0, 1):
                for opened in (True, False):
                    talk = maker(hurt, opened)
                    name = '%s_%s_%s' % (maker.__name__, ('opener', 'responder')[hurt],
                                         'opened' if opened else 'midstream')
                    path = os.path.join(folder, name + '.pcap')
                    with open(path, 'wb') as file:
                        file.write(talk.capture.pcap(nano=True, snaplen=128))
                    found += ['%s: %s' % (name, text) for text in complaints(talk, path)]
            number += 1
            failed += bool(found)
            print('%s %d - %s' % ('not ok' if found else 'ok', number, maker.__name__.replace('_', ' ')))
            for text in found:
                print('# ' + text)
        number += 1
        parity = subprocess.run([os.path.join(ROOT, 'tests', 'kernel', 'run_parity.sh'),
                                 *sorted(glob.glob(os.path.join(folder, '*.pcap')))],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
        wrong = [line for line in parity.splitlines() if not line.startswith('ok')]
        if 'SKIP' in parity.splitlines()[0]:
            print('ok %d - the programs # SKIP loading BPF programs needs root' % number)
        else:
            bad = [line for line in wrong if not line.startswith('1..')]
            failed += bool(bad)
            print('%s %d - the programs say the same at each of three doors, %d times' % (
                'not ok' if bad else 'ok', number, len(parity.splitlines()) - len(wrong)))
            for line in bad[:20]:
                print('# ' + line)
    print('1..%d' % number)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
