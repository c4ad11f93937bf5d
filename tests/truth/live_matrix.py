#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Chooses the cases of live_matrix.sh, and judges what three taps said of them.

usage: live_matrix.py plan SEED BUDGET_S "CONGESTION CONTROLS" [CASE-NUMBER...]
       live_matrix.py judge DIRECTORY
"""
import collections
import csv
import glob
import json
import os
import random
import re
import sys

import never_passed

# name, seconds one case takes, what to expect of the sender's kernel
Scenario = collections.namedtuple('Scenario', 'name seconds kind')
SCENARIOS = (
    Scenario('loss_1', 2.2, 'lossy'), Scenario('mixed', 2.8, 'lossy'),
    Scenario('keepalive', 4.0, 'clean'), Scenario('duplicate', 1.9, 'clean'),
    Scenario('loss_3', 3.0, 'lossy'), Scenario('reorder', 1.9, 'any'),
    Scenario('zero_window', 2.8, 'clean'), Scenario('bursts', 2.2, 'lossy'),
    Scenario('syn_loss', 2.9, 'opening'), Scenario('tail_loss', 2.2, 'tail'),
    Scenario('clean', 1.9, 'clean'), Scenario('fin_loss', 2.2, 'tail'),
    Scenario('ack_loss', 2.2, 'any'), Scenario('delay', 2.4, 'clean'),
    Scenario('synack_loss', 2.9, 'opening'), Scenario('far_reorder', 2.2, 'any'),
    Scenario('ping_pong', 2.6, 'clean'), Scenario('overtaken', 2.4, 'any'),
    Scenario('far_loss', 4.0, 'lossy'), Scenario('small_mss', 2.6, 'lossy'),
    Scenario('overtaken_loss', 3.0, 'any'), Scenario('ack_thin', 3.4, 'any'),
    Scenario('overtaking', 3.0, 'any'), Scenario('half_close', 2.4, 'tail'),
    Scenario('one_byte', 2.4, 'lossy'),
)
AXES = (
    ('family', ('4', '6')), ('timestamps', ('1', '0')), ('sack', ('1', '0')),
    ('offloads', ('0', '0', '1')), ('ecn', ('0', '1')), ('congestion', ('cubic', 'reno', 'bbr')),
    ('hook', ('tc', 'tc', 'native', 'skb')), ('place', ('before', 'after', 'both')),
    ('tap', ('tob', 'toa')),
)
SHORT = ('reorder', 'far_reorder', 'duplicate')  # the round trip is microseconds
# Frames of many segments are not held back.
HELD = SHORT + ('delay', 'far_loss', 'ping_pong', 'overtaken', 'overtaken_loss', 'overtaking')
# What was sent again is asked for behind the loss where scenarios are of the kinds recorded in
# ../shared/captures/live: their loss (1%; 5% of one octet each), lost FINs and ACKs, reordering at 20 ms. The
# heavy ones drop the same octets again and again, and the last ones; there only what passed can be known.
RECORDED = {'loss_1': 'xdp_loss, ipv6_loss, tc_loss_gso', 'small_mss': 'xdp_loss', 'far_loss': 'xdp_loss',
            'one_byte': 'one_byte', 'half_close': 'fin_loss', 'ack_loss': 'ack_loss',
            'far_reorder': 'wire_reorder2', 'syn_loss': 'syn_loss', 'synack_loss': 'syn_loss',
            'duplicate': 'wire_dup', 'zero_window': 'zero_window', 'keepalive': 'keepalive'}
HEAVY = ('loss_3', 'mixed', 'bursts', 'tail_loss', 'fin_loss', 'ack_thin')
ONLY_DATA = ('loss_1', 'loss_3', 'bursts', 'far_loss', 'small_mss', 'tail_loss')  # is dropped
ACKS_LOST = ('ack_loss', 'ack_thin', 'mixed')
COPIED = ('duplicate',)  # more frames arrive than were sent
# Two ways, and the shorter one is taken only by what overtakes: a kernel samples that when a SACK names it,
# we begin no sample behind a hole.
TWO_WAYS = ('overtaking',)
TAPS = ('sender', 'router', 'receiver')
WAYS = {'c2s': ('opener', 'client'), 's2c': ('responder', 'server')}

# Of repeats: a super-frame that GRO made of old and new may be cut into one more, and one overtaken by a whole
# round trip looks lost as long as no four IP-IDs have shown that they count.
LOOSE_MAX = 0.01
MERGED_MAX = 0.02     # of D-SACKs: one may tell of several segments that came again between two ACKs
BARE_MAX = 0.2        # at microsecond round trips without IP-ID and TSval an overtaken one looks lost
ESTIMATE_MIN = 0.85   # of directions with loss of the kinds recorded, what was sent again is exact behind it
FEW = 50              # of so few two are many percent
TOLD_MIN = 0.95       # of directions with loss: exact, or short of what was lost before the tap
SLACK = 2             # in a short run one lost tail is many percent
RTT_MAX = 0.05        # of the kernel's least round trip, and what the stack adds
RTT_STACK_NS = 200 * 1000
TICK_NS = 1000 * 1000 # of Linux' timestamps
RTT_GOOD_MIN = 0.95
SEGMENTS_MAX = 45     # of one frame of 64 kB


# ---------------------------------------------------------------- the plan

class Cycle:
    """The values of an axis in shuffled rounds: each comes once before any comes again."""

    def __init__(self, values, rng):
        self.values, self.rng, self.left = values, rng, []

    def next(self):
        if not self.left:
            self.left = self.rng.sample(self.values, len(self.values))
        return self.left.pop()


def sensible(case):
    """Changes what cannot be combined: XDP takes a frame of many segments for one, and generic XDP is
    not shown what was redirected on its way, as the dropper's duplicates are."""
    if case['offloads'] == '1' and case['scenario'] in HELD:
        case['offloads'] = '0'
    if case['offloads'] == '1':
        case['hook'] = 'tc'
    if case['scenario'] in COPIED and case['hook'] == 'skb':
        case['hook'] = 'tc'
    return case


def plan(seed, budget_s, available):
    rng = random.Random(seed)
    axes = {name: Cycle([value for value in values if name != 'congestion' or value in available],
                        rng) for name, values in AXES}
    left_s, number = budget_s, 0
    while True:
        for scenario in SCENARIOS:
            number += 1
            left_s -= scenario.seconds
            if left_s < 0:
                return
            case = {'number': number, 'seed': seed * 1000 + number, 'scenario': scenario.name}
            case.update((name, cycle.next()) for name, cycle in axes.items())
            yield sensible(case)


def print_plan(seed, budget_s, available, numbers):
    for case in plan(int(seed), float(budget_s), available.split()):
        if not numbers or str(case['number']) in numbers:
            print(' '.join('%s=%s' % item for item in case.items()))


# ---------------------------------------------------------------- what was gathered

def read_case(directory):
    with open(os.path.join(directory, 'case')) as file:
        return dict(line.strip().split('=', 1) for line in file)


def read_records(path):
    """Our records by the client's port."""
    records = collections.defaultdict(list)
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if record['responder_port'] == 8080:
                records[record['opener_port']].append(record)
    return records


def read_kernel(path, end):
    """What the kernel said of each connection, by the client's port."""
    with open(path, newline='') as file:
        lines = [line for line in file if line.startswith(('end,', end + ','))]
    return {int(row['client_port']): row for row in csv.DictReader(lines)}


def read_drops(directory):
    """Segments dropped, by side of the router's tap; and what was held back and got lost of it."""
    drops = collections.Counter()
    for path in glob.glob(os.path.join(directory, '*.[0-9]*')):
        with open(path) as file:
            counts = dict(re.findall(r'(\w+) (\d+)', file.read().splitlines()[-1]))
        if '/drop.' in path:
            drops[path.split('.')[-2]] += int(counts['segments'])
        drops['held'] += int(counts['lost'])
    return drops


def steps_missed(directory, tap, records):
    """Frames the tap tracked, less those its records hold: where two CPUs have frames of one direction
    at once a counter may miss a step (docs/architecture.md); what a frame came to is counted apart."""
    with open(os.path.join(directory, tap + '.log')) as file:
        tracked = re.search(r'([\d,]+) tracked', file.read())
    held = sum(record[end + '_frames'] for of_port in records.values() for record in of_port
               for end, _ in WAYS.values())
    return int(tracked.group(1).replace(',', '')) - held if tracked else 0


def is_bare(case):
    """Nothing in a packet tells it from its like, sent before or after: IPv6 has no IP-ID, and the
    clock of the timestamps ticks each millisecond, which is longer than these ways are."""
    return case['family'] == '6' and (case['timestamps'] == '0' or case['scenario'] in SHORT)


def is_loose(case):
    return case['offloads'] == '1' or case['scenario'] in TWO_WAYS and case['timestamps'] == '0'


def segments_of(case, payload):
    if case['offloads'] == '0':
        return 1
    size = (1460 if case['family'] == '4' else 1440) - 12 * int(case['timestamps'])
    return max(1, -(-payload // size))


def kind_of_loss(case):
    scenario = case['scenario']
    if scenario in HELD + SHORT and is_bare(case):
        return 'bare'
    return 'recorded' if scenario in RECORDED else 'heavy' if scenario in HEAVY else 'other'


def number_of(row, name):
    return int(row.get(name) or 0)


# ---------------------------------------------------------------- the judgement

class Way:
    """One direction of one connection: the sending kernel's word and ours at three taps."""

    def __init__(self, name, row, records):
        self.name, self.row = name, row
        self.end = WAYS[name][0]
        self.kernel = number_of(row, 'total_retrans'), number_of(row, 'bytes_retrans')
        # Named by their place on this way, whichever end sends.
        order = TAPS if name == 'c2s' else TAPS[::-1]
        self.tap = {place: records[host] for place, host in zip(TAPS, order)}
        self.host = dict(zip(TAPS, order))

    def ours(self, place, field):
        return self.tap[place].get('%s_%s' % (self.end, field)) or 0

    def opening_repeats(self, place):
        name = 'syn_retrans' if self.name == 'c2s' else 'synack_retrans'
        return self.tap[place].get(name) or 0

    def at_sender(self):
        return self.ours('sender', 'retransmitted_segments'), \
            self.ours('sender', 'retransmitted_bytes')

    def estimate(self, place):
        return self.ours(place, 'retransmitted_segments') + self.ours(place, 'recovered_segments')

    def visible(self, place):
        """The kernel's count, less the repeated SYNs that the tap could not know to be repeats."""
        return self.kernel[0] - self.opening_repeats('sender') + self.opening_repeats(place)

    def is_told(self, place):
        """Exact; or short only of segments that were sent again and lost again, or lost at the tail:
        as many as were lost on the way here and did not fill a hole, and nothing we were unsure of."""
        missing = self.visible(place) - self.estimate(place)
        lost = self.ours('sender', 'segments') - self.ours(place, 'segments')
        unsure = sum(self.ours(place, field)
                     for field in ('unresolved', 'reordered', 'late', 'copies'))
        return missing == 0 or \
            (0 < missing <= lost - self.ours(place, 'recovered_segments') and not unsure)

    def missed(self, side):
        """Segments that passed the tap before this side of the router and not the one behind it."""
        first, second = {'before': TAPS[:2], 'after': TAPS[1:]}[side]
        return self.ours(first, 'segments') - self.ours(second, 'segments')

    def repeats(self, place):
        """Segments whose octets passed this tap before."""
        return sum(self.ours(place, field) for field in ('retransmitted_segments', 'late', 'copies'))

    def dsacks(self):
        """D-SACKs that the sender got, by its kernel and by us."""
        other = {'opener': 'responder', 'responder': 'opener'}[self.end]
        return number_of(self.row, 'dsack_dups'), self.tap['sender'][other + '_dsacks']

    def rtt(self, which):
        """The round trip to the receiver, as the sender's tap has it; or None."""
        other = {'opener': 'responder', 'responder': 'opener'}[self.end]
        return self.tap['sender'].get('%s_rtt_%s_ns' % (other, which))

    def rtt_error(self):
        """Our least round trip at the sender, less the kernel's; None when either is absent."""
        ours, kernel = self.rtt('min'), number_of(self.row, 'min_rtt_us')
        return ours - kernel * 1000 if ours is not None and kernel else None

    def rtt_beyond(self):
        """How far the kernel's smoothed round trip lies below our least, and above our largest."""
        kernel = number_of(self.row, 'rtt_us') * 1000
        return self.rtt('min') - kernel, kernel - self.rtt('max')

    def rtt_is_good(self):
        """After a repeat a kernel goes by the timestamps, and their clock: a whole number of ticks may be
        one less or more than it was."""
        kernel_ns = number_of(self.row, 'min_rtt_us') * 1000
        ticks = TICK_NS if self.kernel[0] and not kernel_ns % TICK_NS else 0
        return abs(self.rtt_error()) <= RTT_MAX * kernel_ns + RTT_STACK_NS + ticks


class Sums(collections.Counter):
    columns = (('connections', 'flows'), ('kernel', 'kernel'), ('sender', 'sender'),
               ('router', 'router'), ('receiver', 'receiver'), ('exact_sender', 'exact'),
               ('ways', 'of'), ('exact_router', 'router='), ('exact_receiver', 'receiver='),
               ('lossy', 'of lossy'), ('dropped_before', 'dropped<'), ('before', 'ours<'),
               ('dropped_after', 'dropped>'), ('after', 'ours>'), ('spurious', 'spurious'),
               ('dsacks', 'D-SACKs'), ('copies', 'copies'), ('late', 'late'),
               ('reordered', 'reordered'), ('unresolved', 'unresolv.'),
               ('kernel_reordered', 'rordseen'))

    @classmethod
    def header(cls):
        return '%-13s' % 'scenario' + ''.join('%10s' % title for _, title in cls.columns) + \
            '%10s' % 'RTT us'

    def line(self, name):
        error_us = self['rtt_error_ns'] / 1000 / self['rtt'] if self['rtt'] else 0
        return '%-13s' % name + ''.join('%10d' % self[key] for key, _ in self.columns) + \
            '%10.1f' % error_us


LEGEND = (
    'kernel: tcpi_total_retrans; sender, router, receiver: what we say there (retransmitted +',
    'recovered); exact: directions where segments and bytes are the kernel\'s; router=, receiver=:',
    'of those with loss; < and >: before and after the router, dropped and told.',
)


class Judge:
    def __init__(self):
        self.kinds = {scenario.name: scenario.kind for scenario in SCENARIOS}
        self.sums = collections.defaultdict(Sums)
        self.complaints = collections.defaultdict(list)
        self.captures = {}
        self.number = 0
        self.failed = self.in_no_case = 0
        self.failed_cases = set()

    def complain(self, about, case, text):
        axes = ' '.join('%s=%s' % (name, case[name]) for name, _ in AXES)
        self.complaints[about].append((case['number'], 'case %s %s (%s): %s' % (
            case['number'], case['scenario'], axes, text)))

    def case(self, directory):
        case = read_case(directory)
        self.directory, self.captures = directory, {}
        sums = Sums()
        taps = {tap: read_records(os.path.join(directory, tap + '.ndjson')) for tap in TAPS}
        kernels = {way: read_kernel(os.path.join(directory, end + '.csv'), end)
                   for way, (_, end) in WAYS.items()}
        drops = read_drops(directory)
        for side in ('before', 'after'):
            sums['dropped_' + side] += drops[side]
        for port in sorted(kernels['c2s']):
            self.connection(case, sums, port, kernels, taps)
        if not kernels['c2s']:
            self.complain('records', case, 'no connection was made')
        steps = [steps_missed(directory, tap, taps[tap]) for tap in TAPS]
        sums['steps'] += sum(steps)
        sums['frames'] += sum(record[end + '_frames'] for tap in taps.values()
                              for records in tap.values() for record in records
                              for end, _ in WAYS.values())
        self.drops(case, sums, drops['held'], steps)
        self.sums[case['scenario']].update(sums)

    def connection(self, case, sums, port, kernels, taps):
        sums['connections'] += 1
        found = {tap: taps[tap][port] for tap in TAPS}
        if any(len(records) != 1 for records in found.values()) or port not in kernels['s2c']:
            self.complain('records', case, 'port %d: records %s' % (port, ', '.join(
                '%s %d' % (tap, len(records)) for tap, records in found.items())))
            return
        records = {tap: found[tap][0] for tap in TAPS}
        for name in WAYS:
            self.way(case, sums, port, Way(name, kernels[name][port], records))
        sums['probes'] += sum(records['sender'][end + '_keepalives'] for end, _ in WAYS.values())
        sums['zero_windows'] += sum(records['sender'][end + '_zero_windows']
                                    for end, _ in WAYS.values())

    def drops(self, case, sums, held, steps):
        """What a dropper took is what the next tap misses, to the segment, but for steps missed."""
        segments = SEGMENTS_MAX if case['offloads'] == '1' else 1
        if held:
            self.complain('drops', case, '%d frames held back were lost' % held)
        for side in ('before', 'after') if case['scenario'] not in COPIED else ():
            sums['drops'] += sums['dropped_' + side]
            if abs(sums['missed_' + side] - sums['dropped_' + side]) > segments * sum(steps):
                self.complain('drops', case, '%s the router %d segments dropped, %d missed' % (
                    side, sums['dropped_' + side], sums['missed_' + side]))

    def way(self, case, sums, port, way):
        kind = self.kinds[case['scenario']]
        sums['ways'] += 1
        sums['kernel'] += way.kernel[0]
        sums['kernel_loose'] += way.kernel[0] * is_loose(case)
        for place in TAPS:
            sums[place] += way.estimate(place)
        sums['exact_sender'] += way.at_sender() == way.kernel
        if way.at_sender() != way.kernel:
            self.complain('sender', case, 'port %d %s: kernel %d segments %d bytes, ours %d, %d' % (
                port, way.name, *way.kernel, *way.at_sender()))
        for place in TAPS[1:]:
            self.never_more(case, kind, sums, port, way, place)
        self.behind(case, sums, port, way)
        self.sides(sums, way)
        if case['scenario'] in ONLY_DATA:
            self.loss_adds_up(case, sums, port, way)
        self.needless(case, sums, port, way)
        self.overtaken(case, sums, port, way)
        if case['scenario'] not in TWO_WAYS:
            self.round_trip(case, sums, port, way)
            self.smoothed(case, sums, port, way)

    def never_more(self, case, kind, sums, port, way, place):
        """What we say was sent again is at most what was. Copies and late originals tempt."""
        excess = way.estimate(place) - way.kernel[0]
        about = 'clean' if kind == 'clean' else 'loose' if is_loose(case) else 'invented'
        if is_bare(case):
            about = 'bare'
            sums['tempting'] += way.ours(place, 'copies') + way.ours(place, 'late') + \
                way.ours(place, 'reordered') + max(excess, 0)
        if excess > 0:
            sums[about] += excess
            self.complain(about, case, 'port %d %s at the %s: kernel %d, ours %d + %d' % (
                port, way.name, place, way.kernel[0], way.ours(place, 'retransmitted_segments'),
                way.ours(place, 'recovered_segments')))

    def behind(self, case, sums, port, way):
        """What was sent again, SYNs apart, as the taps behind the loss have it. Where the captures are there each
        missing one is looked for."""
        if way.kernel[0] <= way.opening_repeats('sender'):
            return
        kind = kind_of_loss(case)
        sums['lossy'] += 1
        sums['lossy_' + kind] += 1
        sums['lossy_told'] += kind in ('recorded', 'heavy') and not is_bare(case)
        for place in TAPS[1:]:
            sums['exact_%s_%s' % (place, kind)] += way.estimate(place) == way.visible(place)
            if kind in ('recorded', 'heavy') and not is_bare(case):
                sums['told_' + place] += way.is_told(place)
            sums['exact_' + place] += way.estimate(place) == way.visible(place)
            if kind in ('recorded', 'heavy') and way.estimate(place) < way.visible(place):
                self.never_passed(case, sums, port, way, place)

    def never_passed(self, case, sums, port, way, place):
        sender, tap = (os.path.join(self.directory, host + '.pcap')
                       for host in (way.host['sender'], way.host[place]))
        # On the way out a capture lies behind the droppers of its interface, we before them.
        if place == 'router' and case['place'] != 'before' or \
                not os.path.exists(sender) or not os.path.exists(tap):
            return
        if (sender, tap) not in self.captures:
            self.captures[sender, tap] = never_passed.by_way(sender), never_passed.by_way(tap)
        sent, passed = self.captures[sender, tap]
        key = port.to_bytes(2, 'big')
        unseen = [found for of in sent if key == of[1 if way.name == 'c2s' else 3]
                  for found in never_passed.unseen(sent[of], passed[of])]
        explained = sum(segments_of(case, segment.payload) for segment, _ in unseen)
        missing = way.visible(place) - way.estimate(place)
        unsure = sum(way.ours(place, field) for field in ('unresolved', 'reordered', 'late', 'copies'))
        sums['short'] += 1
        sums['short_explained'] += 0 <= missing - explained <= unsure
        if not 0 <= missing - explained <= unsure:
            self.complain('passed', case, 'port %d %s at the %s: %d missing, of which %d never passed' % (
                port, way.name, place, missing, explained))

    def needless(self, case, sums, port, way):
        """A kernel counts the segments of a D-SACK, we the D-SACKs: the same where frames are segments, unless
        one D-SACK tells of several, as where crowds come twice.
        Its figure is read before its FIN is acknowledged, so what answers a FIN sent again is ours alone, and
        what answers an original that was held back for longer than the connection lived."""
        kernel, ours = way.dsacks()
        after = way.ours('sender', 'fin_retrans')
        if case['scenario'] in HELD:
            after += way.ours('receiver', 'late')
        if case['scenario'] in TWO_WAYS + COPIED: # what comes twice may come behind the ACK of the FIN
            after += way.repeats('receiver')
        merged = self.told_together(port, way, kernel) if case['scenario'] in TWO_WAYS + COPIED else 0
        if case['offloads'] == '0' and not kernel - merged <= ours <= kernel + after:
            self.complain('dsacks', case, 'port %d %s: kernel %d, ours %d' % (
                port, way.name, kernel, ours))

    def told_together(self, port, way, kernel):
        """How many segments more than D-SACKs the sender got to know of; without a capture a small part."""
        path = os.path.join(self.directory, way.host['sender'] + '.pcap')
        if not os.path.exists(path):
            return max(1, MERGED_MAX * kernel)
        ways, key = never_passed.by_way(path), port.to_bytes(2, 'big')
        of = next(of for of in ways if key == of[1 if way.name == 'c2s' else 3])
        return never_passed.told_together(ways[of], ways[of[2:] + of[:2]])

    @staticmethod
    def sides(sums, way):
        for side in ('before', 'after'):
            sums['missed_' + side] += way.missed(side)
        sums['before'] += way.ours('router', 'recovered_segments')
        sums['after'] += way.ours('router', 'retransmitted_segments') - \
            way.ours('router', 'spurious')
        sums['spurious'] += way.ours('sender', 'spurious')
        sums['dsacks'] += number_of(way.row, 'dsack_dups')
        sums['copies'] += way.ours('receiver', 'copies')
        sums['reordered'] += way.ours('receiver', 'reordered')
        sums['unresolved'] += way.ours('receiver', 'unresolved')
        sums['late'] += way.ours('receiver', 'late')
        sums['kernel_reordered'] += number_of(way.row, 'reord_seen')

    def loss_adds_up(self, case, sums, port, way):
        """Each segment lost before the router is one we call lost there, or was sent again and lost
        again or lost at the tail: those no one behind can see. Each one lost after it comes by again; what
        comes again more than that reached the receiver twice. Needless is only said of what filled
        no hole there (it may have been lost all the same)."""
        ours = way.ours('router', 'recovered_segments')
        unseen = way.kernel[0] - way.estimate('router')
        again = way.repeats('router')
        needed = way.ours('receiver', 'recovered_segments') - ours
        sums['sides'] += 1
        wrong = [text for good, text in (
            (way.missed('before') == ours + unseen, '%d lost before the router, %d by us and %d unseen' % (
                way.missed('before'), ours, unseen)),
            (way.missed('after') == again - way.repeats('receiver'),
             '%d lost after the router, %d came again, %d of them twice to the receiver' % (
                 way.missed('after'), again, way.repeats('receiver'))),
            (way.ours('router', 'spurious') + needed <= again, '%d needless and %d needed of %d' % (
                way.ours('router', 'spurious'), needed, again))) if not good]
        sums['sides_good'] += not wrong
        for text in wrong:
            self.complain('sides', case, 'port %d %s: %s' % (port, way.name, text))

    def overtaken(self, case, sums, port, way):
        """A kernel that knows of reordering has got a SACK, and then an acknowledgment of a segment below
        it that was sent once; or it undid a repeat. Behind the path the one was overtaken, the other
        came twice. Or it was overtaken between the tap and its socket, as two CPUs deliver what comes: then the
        receiver misses, for an instant, what has passed the tap, and its SACK says so (looked for where
        there is a capture). And where nothing was sent again, each overtaken segment is known to the sender, unless
        the ACKs that say so are overtaken themselves, or one ACK answered both, as when only a microsecond lies
        between them."""
        if case['sack'] == '0' or case['scenario'] in ACKS_LOST:
            return
        kernel = number_of(way.row, 'reord_seen')
        ours = sum(way.ours('receiver', field) for field in ('reordered', 'late', 'unresolved'))
        sums['overtaken'] += bool(ours)
        sums['kernel_overtaken'] += bool(kernel)
        if kernel and not ours and not way.repeats('receiver') and kernel > self.behind_tap(port, way):
            self.complain('overtaken', case, 'port %d %s: kernel %d, nothing overtaken by us' % (
                port, way.name, kernel))
        if not kernel and way.ours('receiver', 'reordered') > SLACK and not way.kernel[0] and \
                case['scenario'] not in TWO_WAYS:
            self.complain('overtaken', case, 'port %d %s: kernel none, %d overtaken by us' % (
                port, way.name, way.ours('receiver', 'reordered')))

    def behind_tap(self, port, way):
        """How often one was overtaken behind the receiver's tap; without a capture, as often as may be."""
        path = os.path.join(self.directory, way.host['receiver'] + '.pcap')
        if not os.path.exists(path):
            return SLACK
        ways, key = never_passed.by_way(path), port.to_bytes(2, 'big')
        of = next(of for of in ways if key == of[1 if way.name == 'c2s' else 3])
        return never_passed.overtaken_behind(ways[of], ways[of[2:] + of[:2]])

    def smoothed(self, case, sums, port, way):
        """The kernel smooths samples of the oldest segment an ACK answers, we take the newest: so it is
        never below our least one, and above our largest where ACKs wait for a second segment or answer
        several. Where each segment has an answer of its own both have the same samples."""
        if way.rtt('min') is None or not number_of(way.row, 'rtt_us'):
            return
        below, above = way.rtt_beyond()
        same = case['scenario'] == 'ping_pong'
        slack = RTT_STACK_NS + RTT_MAX * way.rtt('min')
        sums['smoothed'] += 1
        sums['smoothed_within'] += below <= slack and above <= slack
        sums['smoothed_same'] += same
        if below > slack or same and above > slack:
            self.complain('smoothed', case, 'port %d %s: kernel %s us, ours %d to %d us' % (
                port, way.name, way.row['rtt_us'], way.rtt('min') / 1000, way.rtt('max') / 1000))

    def round_trip(self, case, sums, port, way):
        error = way.rtt_error()
        if error is None:
            return
        sums['rtt'] += 1
        sums['rtt_error_ns'] += error
        sums['rtt_good'] += way.rtt_is_good()
        if not way.rtt_is_good():
            self.complain('rtt', case, 'port %d %s: kernel %s us, ours %+d us' % (
                port, way.name, way.row['min_rtt_us'], error // 1000))

    # ---------------------------------------------------------------- the words

    def check(self, good, name, about=None):
        self.number += 1
        if not good:
            self.failed += 1
            self.in_no_case += not self.complaints[about]
            self.failed_cases.update(number for number, _ in self.complaints[about])
        print('%s %d - %s' % ('ok' if good else 'not ok', self.number, name))
        for _, complaint in self.complaints[about][:12]:
            print('# ' + complaint)
        if len(self.complaints[about]) > 12:
            print('# and %d more' % (len(self.complaints[about]) - 12))

    def total(self, *names):
        total = Sums()
        for name, sums in self.sums.items():
            if not names or name in names:
                total.update(sums)
        return total

    def verdict(self):
        everything = self.total()
        for line in (Sums.header(), *(self.sums[name].line(name) for name in sorted(self.sums)),
                     everything.line('all')):
            print('# ' + line)
        for line in LEGEND:
            print('# ' + line)
        self.check(not self.complaints['records'] and everything['connections'],
                   'each of %d connections has one record at each of three taps' %
                   everything['connections'], 'records')
        self.check(not self.complaints['sender'],
                   'at the sender segments and bytes are the kernel\'s, %d of %d directions' % (
                       everything['exact_sender'], everything['ways']), 'sender')
        self.check_excess(everything)
        self.check_bare(everything)
        self.check_behind(everything)
        self.check_sides(everything)
        good, of = everything['rtt_good'], everything['rtt']
        self.check(good >= RTT_GOOD_MIN * of - (SLACK if of < FEW else 0),
                   'the least round trip is the kernel\'s on %d of %d directions, at least %.2f' % (
                       good, of, RTT_GOOD_MIN), 'rtt')
        self.check(not self.complaints['smoothed'],
                   'the smoothed round trip is not below our least, and on all %d directions with one '
                   'answer a segment within ours' % everything['smoothed_same'], 'smoothed')
        print('# within our least and largest on %d of all %d' % (
            everything['smoothed_within'], everything['smoothed']))
        self.check(not self.complaints['overtaken'],
                   'reordering: the sending kernel knows of it on %d directions, we on %d' % (
                       everything['kernel_overtaken'], everything['overtaken']), 'overtaken')
        self.check_seen()
        print('1..%d' % self.number)
        return 1 if self.failed else 0

    def check_excess(self, everything):
        self.check(not everything['invented'],
                   'router and receiver never say more than was sent again: %d of %d too many' % (
                       everything['invented'], everything['kernel']), 'invented')
        if everything['kernel_loose']:
            self.check(everything['loose'] <= LOOSE_MAX * everything['kernel_loose'] + SLACK,
                       'nor with super-frames, or on two ways without timestamps, but for %d of %d' % (
                           everything['loose'], everything['kernel_loose']), 'loose')
        self.check(not everything['clean'],
                   'clean, delayed, copied, probed and stalled: %d invented, of %d copies' % (
                       everything['clean'], everything['copies']), 'clean')

    def check_bare(self, everything):
        most = BARE_MAX * everything['tempting'] + SLACK
        self.check(everything['bare'] <= most,
                   'IPv6 without a telling clock: %d of %d copied or late told as sent again' % (
                       everything['bare'], everything['tempting']), 'bare')

    def check_behind(self, everything):
        """Of the kinds of loss that are recorded the number has to be exact on as many directions as there.
        What was sent again and lost again, or lost at the tail, leaves nothing to see: that it is exact but for
        those is judged of all but IPv6 without timestamps, where some stay undecided."""
        lossy = everything['lossy_recorded']
        for place in TAPS[1:] if lossy else ():
            exact = everything['exact_%s_recorded' % place]
            self.check(exact >= ESTIMATE_MIN * lossy - (SLACK if lossy < FEW else 0),
                       'at the %s what was sent again is exact on %d of %d directions with loss as it is recorded, '
                       '%.2f, at least %.2f' % (place, exact, lossy, exact / lossy, ESTIMATE_MIN))
        for place in TAPS[1:]:
            lossy, told = everything['lossy_told'], everything['told_' + place]
            self.check(told >= TOLD_MIN * lossy - SLACK,
                       'at the %s it is exact but for what was lost before on %d of %d directions, heavy loss '
                       'included' % (place, told, lossy))
            print('# of %d with heavy loss, the same octets again and again or the last ones, exact on %d' % (
                everything['lossy_heavy'], everything['exact_%s_heavy' % place]))
            print('# of %d reordered without a telling clock on %d, of %d others on %d' % (
                everything['lossy_bare'], everything['exact_%s_bare' % place],
                everything['lossy_other'], everything['exact_%s_other' % place]))
        if everything['short']:
            self.check(not self.complaints['passed'],
                       'packet by packet: on %d of %d short ones what is missing never passed' % (
                           everything['short_explained'], everything['short']), 'passed')
        self.check(not self.complaints['dsacks'], 'D-SACKs are as many as the sending kernel got',
                   'dsacks')

    def check_sides(self, everything):
        self.check(not self.complaints['drops'],
                   'what the droppers took on either side is what the next tap misses: %d segments' %
                   everything['drops'], 'drops')
        print('# of %d frames the counters of records missed %d' % (
            everything['frames'], everything['steps']))
        if everything['sides']:
            self.check(not self.complaints['sides'],
                       'loss before and after the router adds up on %d of %d directions' % (
                           everything['sides_good'], everything['sides']), 'sides')

    def check_seen(self):
        """A scenario that did not happen proves nothing."""
        for scenario, key in (('keepalive', 'probes'), ('zero_window', 'zero_windows'),
                              ('duplicate', 'copies')):
            if scenario in self.sums:
                self.check(self.sums[scenario][key] > 0, '%s: %d %s seen' % (
                    scenario, self.sums[scenario][key], key.replace('_', ' ')))


def judge(directory):
    judgement = Judge()
    for number in sorted(int(name) for name in os.listdir(directory) if name.isdigit()):
        judgement.case(os.path.join(directory, str(number)))
    failed = judgement.verdict()
    with open(os.path.join(directory, 'again'), 'w') as file: # what may come out otherwise when it runs alone
        if not judgement.in_no_case:
            file.write(' '.join(sorted(judgement.failed_cases, key=int)))
    return failed


def main():
    if len(sys.argv) >= 5 and sys.argv[1] == 'plan':
        print_plan(*sys.argv[2:5], sys.argv[5:])
        return 0
    if len(sys.argv) == 3 and sys.argv[1] == 'judge':
        return judge(sys.argv[2])
    sys.exit(__doc__)


if __name__ == '__main__':
    sys.exit(main())
