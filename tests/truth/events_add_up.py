#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The events of a replay, added up, are the counters of its records; one TAP line a capture."""
import collections
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.path.join(ROOT, 'build', 'ackmon')
# Event -> the field it adds to, in wire segments or, where the record counts them, one by one.
IN_SEGMENTS = {
    'retransmitted': 'retransmitted_segments',
    'recovered': 'recovered_segments',
    'reordered': 'reordered',
    'late': 'late',
    'unresolved': 'unresolved',
    'copy': 'copies',
}
ONE_EACH = {
    'keepalive': 'keepalives',
    'window_probe': 'window_probes',
    'zero_window': 'zero_windows',
}
FIELDS = list(IN_SEGMENTS.values()) + list(ONE_EACH.values()) + ['fast', 'rto', 'probe', 'spurious']


def lines(capture, *options):
    """The NDJSON of a replay; a damaged capture still gives what came before the damage."""
    run = subprocess.run([ACKMON, '-q', *options, '-r', capture], capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def from_events(events):
    """Counters by (flow id, end, field), and how many flows were closed."""
    sums, closed = collections.Counter(), 0
    for event in events:
        name, key = event['event'], (event['id'], event.get('from'))
        closed += name == 'closed'
        if name in IN_SEGMENTS:
            sums[key + (IN_SEGMENTS[name],)] += event['segments']
        elif name in ONE_EACH:
            sums[key + (ONE_EACH[name],)] += 1
        if 'cause' in event:
            sums[key + (event['cause'],)] += event['segments']
        if name == 'spurious' or event.get('spurious'):
            sums[key + ('spurious',)] += event['segments']
    return sums, closed


def from_records(records):
    sums = collections.Counter()
    for record in records:
        for end in ('opener', 'responder'):
            for field in FIELDS:
                count = record.get('%s_%s' % (end, field), 0)
                if count:
                    sums[record['id'], end, field] += count
    return sums


def main():
    captures = sorted(glob.glob(os.path.join(ROOT, 'pcaps', '*.pcap*')))
    shared = os.path.join(os.path.dirname(ROOT), 'shared', 'captures')
    captures += sorted(glob.glob(os.path.join(shared, 'public', '*')))
    captures += sorted(glob.glob(os.path.join(shared, 'live', '*', '*.pcap.gz')))
    failed = 0
    for number, capture in enumerate(captures, 1):
        records = lines(capture, '-j')
        told, closed = from_events(lines(capture, '--events'))
        counted = from_records(records)
        good = told == counted and closed == len(records)
        name = '/'.join(capture.split('/')[-2:])
        print('%s %d - the events of %s add up to its records' % ('ok' if good else 'not ok', number, name))
        if good:
            continue
        failed += 1
        for key in sorted(set(told) | set(counted)):
            if told[key] != counted[key]:
                print('# %s %s %s: events %d, record %d' % (*key, told[key], counted[key]))
        if closed != len(records):
            print('# closed: events %d, records %d' % (closed, len(records)))
    print('1..%d' % len(captures))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
