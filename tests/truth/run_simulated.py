#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds ackmon's class of each segment against simulated stacks and ways, of which it is known.

usage: run_simulated.py [-a] [-k DIR]     -a: three transfers of each stack on each way, larger ones
                                          -k: keeps the captures, for tests/kernel/run_parity.sh

What may differ, and why, is the table LIMITS; all else is a mistake. Speaks TAP; with ../shared beside this
tree its exact reference program is shown for comparison.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile

import simulate
from simulate import MS, US, Half, World

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.environ.get('ACKMON', os.path.join(ROOT, 'build', 'ackmon'))
SHARED = os.environ.get('SHARED', os.path.join(os.path.dirname(ROOT), 'shared'))
CLASSES = ('retransmitted', 'recovered', 'reordered', 'unresolved', 'late', 'copy')

STACKS = {'linux': simulate.LINUX, 'linux6': simulate.LINUX6, 'windows': simulate.WINDOWS,
          'bsd': simulate.BSD, 'bare': simulate.BARE, 'bare6': simulate.BARE6,
          'slow_clock': simulate.SLOW_CLOCK, 'shared_id': simulate.SHARED_ID}
# Both directions take a way like this; a mirror shows each packet once more, so much later.
Way = collections.namedtuple('Way', 'near far mirror_ns', defaults=(Half(), None))
WAYS = {
    'loss_before': Way(Half(loss=.02)),
    'loss_after': Way(Half(), Half(loss=.02)),
    'loss_both': Way(Half(2 * MS, .01), Half(8 * MS, .01)),
    'long': Way(Half(60 * MS, .01), Half(40 * MS, .01)),
    'near_sender': Way(Half(20 * US), Half(20 * MS, .015)),
    'near_receiver': Way(Half(20 * MS, .015), Half(20 * US)),
    'reordered': Way(Half(overtaken=.02, overtaken_ns=MS)),
    'reordered_far': Way(Half(overtaken=.02, overtaken_ns=15 * MS)),
    'reordered_loss': Way(Half(5 * MS, .01, .02, 3 * MS), Half(loss=.01)),
    'a_second_late': Way(Half(overtaken=.003, overtaken_ns=1000 * MS)),
    'doubled': Way(Half(double=.03)),
    'doubled_3_ms': Way(Half(double=.03, double_ns=3 * MS)),
    'rack': Way(Half(50 * US, .01), Half(50 * US)),
    'rack_after': Way(Half(50 * US), Half(50 * US, .01)),
    'rack_reordered': Way(Half(40 * US, 0, .02, 30 * US), Half(60 * US)),
    'mirror': Way(Half(), Half(loss=.02), 700),
    'mirror_20_us': Way(Half(loss=.02), Half(), 20 * US),
    'all_at_once': Way(Half(5 * MS, .01, .02, 4 * MS, .01, MS), Half(7 * MS, .01, .02, 4 * MS)),
}
# Where nothing on a packet says when it was sent, or that it is another one (docs/measurements.md).
BARE = ('bare', 'bare6', 'shared_id', 'slow_clock')
NO_ID = BARE + ('linux6', 'bsd')
LIMITS = {
    ('reordered', 'unresolved'): (BARE, ('reordered_far', 'all_at_once', 'rack_reordered')),
    ('recovered', 'unresolved'): (BARE + ('bsd',), tuple(WAYS)),
    ('late', 'retransmitted'): (BARE, ('a_second_late', 'all_at_once')),
    ('copy', 'retransmitted'): (NO_ID, ('doubled_3_ms', 'all_at_once')),
    ('retransmitted', 'copy'): (BARE, ('rack_reordered', 'all_at_once')),
}
# One packet in a crowd, more than 64 behind its like.
FEW = 0.02


def events(path):
    """Our class of each packet that got one, by its time."""
    text = subprocess.run([ACKMON, '--events', '-r', path], stdin=subprocess.DEVNULL, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    said = (json.loads(line) for line in text.splitlines())
    return {event['time_ns']: event['event'] for event in said if event['event'] in CLASSES}


def reference():
    path = os.path.join(SHARED, 'tools')
    if not os.path.exists(os.path.join(path, 'oracle.py')):
        return None
    sys.path.insert(0, path)
    import oracle
    return oracle


def reference_classes(oracle, path):
    rows = []
    oracle.analyse(path, events=collections.namedtuple('Rows', 'writerow')(rows.append))
    names = {'hole_retx': 'recovered', 'hole_reorder': 'reordered', 'hole_unknown': 'unresolved'}
    for frame, _, _, _, _, _, _, label, info in rows:
        if label == 'retx':
            name = 'copy' if 'dupframe' in info else 'late' if 'late-original' in info else 'retransmitted'
        else:
            name = names.get(label, '')
        yield frame, name


def transfer(stack, way, seed, sizes):
    halves = way.near, way.far
    return World(seed, (stack, stack), (halves, halves), sizes, mirror_ns=way.mirror_ns).run()


class Comparison:
    def __init__(self, folder, oracle):
        self.folder, self.oracle = folder, oracle
        self.classed = self.wrong = self.theirs = self.number = self.failed = 0
        self.mistakes = collections.Counter()

    def check(self, good, name):
        self.number += 1
        self.failed += not good
        print('%s %d - %s' % ('ok' if good else 'not ok', self.number, name), flush=True)

    def one(self, name, world):
        path = os.path.join(self.folder, name + '.pcap')
        world.write(path)
        ours, classed, found = events(path), 0, collections.Counter()
        for when, _, truth in world.frames:
            truth = truth.replace('unseen', '')
            said = ours.get(when + simulate.START_NS, '')
            classed += bool(truth or said)
            if said != truth:
                found[truth, said] += 1
        if self.oracle:
            theirs = dict(reference_classes(self.oracle, path))
            self.theirs += sum(theirs.get(frame, '') != truth.replace('unseen', '')
                               for frame, (_, _, truth) in enumerate(world.frames, 1))
        self.classed += classed
        self.wrong += sum(found.values())
        return classed, found


def excused(pair, stack, way, count, classed):
    stacks, ways = LIMITS.get(pair, ((), ()))
    if stack in stacks and way in ways:
        return True
    return pair == ('copy', 'retransmitted') and way == 'all_at_once' and count <= FEW * classed + 1


def compare(folder, thorough):
    comparison = Comparison(folder, reference())
    sizes = (600000, 300000) if thorough else (150000, 80000)
    for way_name, way in WAYS.items():
        unexplained, limits, total = [], collections.Counter(), 0
        for stack_name, stack in STACKS.items():
            for seed in (1, 8, 15) if thorough else (1,):
                name = '%s_%s_%d' % (way_name, stack_name, seed)
                classed, found = comparison.one(name, transfer(stack, way, seed, sizes))
                total += classed
                for pair, count in found.items():
                    text = '%s told as %s' % (pair[0] or 'new', pair[1] or 'new')
                    if excused(pair, stack_name, way_name, count, classed):
                        limits[stack_name + ': ' + text] += count
                    else:
                        unexplained.append('%s: %d %s' % (name, count, text))
        comparison.check(not unexplained, '%s: %d segments of %d stacks, each in its class but for %d known limits' % (
            way_name, total, len(STACKS), sum(limits.values())))
        for line in unexplained + ['%s %d' % item for item in sorted(limits.items())]:
            print('# ' + line)
    print('# of %d segments with a class %d were told otherwise; %s' % (
        comparison.classed, comparison.wrong,
        'by the exact reference program %d' % comparison.theirs if comparison.oracle else 'no ../shared to compare'))
    print('1..%d' % comparison.number)
    return 1 if comparison.failed else 0


def main(arguments):
    if '-k' in arguments:
        folder = arguments[arguments.index('-k') + 1]
        os.makedirs(folder, exist_ok=True)
        return compare(folder, '-a' in arguments)
    with tempfile.TemporaryDirectory() as folder:
        return compare(folder, '-a' in arguments)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
