#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares what ackmon says of captures with an oracle, the sending kernels, tshark and tcptrace.

usage: run_captures.py [-v]      ACKMON=build/ackmon, SHARED=../shared; speaks TAP

The captures, their answers and the tools that score them lie in ../shared and stay there. Every
disagreement is shown with the frame where the two verdicts part; -v shows the explained ones, too.
"""
import collections
import csv
import json
import os
import re
import subprocess
import sys
import tempfile

import never_passed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.environ.get('ACKMON', os.path.join(ROOT, 'build', 'ackmon'))
SHARED = os.environ.get('SHARED', os.path.join(os.path.dirname(ROOT), 'shared'))
PUBLIC = os.path.join(SHARED, 'captures', 'public')
TRUTH = os.path.join(SHARED, 'captures', 'truth')
LIVE = os.path.join(SHARED, 'captures', 'live')
TOOLS = os.path.join(SHARED, 'tools')

SIDES = {'c2s': 'opener', 's2c': 'responder'}
SHOWN_MAX = 40  # disagreements told in full
PRECISION_MIN = RECALL_MIN = 0.995
EXACT_MIN = 0.98
FILLED_TOLERANCE = 0.01
ESTIMATE_MIN = 0.85
RTT_ABOVE_MAX = 0.03       # a kernel samples every acknowledgment and selective ones, we some
RTT_BELOW_MAX = 0.10       # the opening, which the kernel leaves out, may have been the fastest
RTT_STACK_NS = 50 * 1000   # the interface is nearer than the socket
RTT_ROUNDING_NS = 1000

# How a count is made: of our record, by score.py, of one frame of the oracle's.
Count = collections.namedtuple('Count', 'name fields score frame')
COUNTS = (
    Count('strict', ('retransmitted_segments', 'copies', 'late'), 'mss',
          lambda label, info: label == 'retx'),
    Count('nodup', ('retransmitted_segments', 'late'), 'nodup',
          lambda label, info: label == 'retx' and 'dupframe' not in info),
    Count('sender', ('retransmitted_segments', 'recovered_segments'), 'est',
          lambda label, info: label == 'hole_retx' or label == 'retx' and
          'dupframe' not in info and 'late-original' not in info),
)

# The oracle's names of the other classes, and ours.
CLASSES = (('hole_retx_mss', 'recovered_segments'), ('hole_reorder', 'reordered'),
           ('hole_unknown', 'unresolved'), ('keepalive', 'keepalives'), ('zwp', 'window_probes'),
           ('retx_late', 'late'), ('retx_dupframe', 'copies'))

# Where tshark and we part on purpose: the oracle's label, tshark's, and why.
TSHARK_REASONS = (
    ('retx', 'out_of_order',
     'the bytes were seen before, so they were sent again; tshark says out-of-order when the '
     'highest segment came less than a handshake round trip ago'),
    ('hole_reorder', 'rtx',
     'fills a hole and IP-ID or TSval say it was sent first: reordered; tshark goes by time alone'),
    ('hole_', 'rtx',
     'fills a hole: sent again or not, it was never seen twice here; we keep a number of its own '
     '(recovered, unresolved), tshark has one for both'),
    ('hole_unknown', 'out_of_order',
     'fills a hole, and nothing says when it was sent: unresolved; tshark says out-of-order'),
    ('oow', 'rtx',
     'further than any window from what was seen: suspect, counted apart; tshark counts a repeat'),
    ('new', 'rtx',
     'bytes not seen before, of a stream that moved to another sequence number; tshark measures '
     'them against the old one'),
    ('ack', 'keep_alive',
     'a keepalive before the first byte, at the octet of the SYN: the oracle has none there'),
)
TSHARK_SAME = {'retx': 'rtx', 'hole_reorder': 'out_of_order', 'keepalive': 'keep_alive',
               'zwp': 'zero_window_probe'}
QUIET = ('ack', 'new', 'rst', 'new_gap', 'gap_ack', 'oow')


class Tap:
    """Results in the form tests/run.sh reads."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def check(self, good, name):
        self.number += 1
        self.failed += not good
        print('%s %d - %s' % ('ok' if good else 'not ok', self.number, name), flush=True)

    def end(self):
        print('1..%d' % self.number)
        return 1 if self.failed else 0


def say(text=''):
    print(('# ' + text).rstrip())


def read_table(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def write_table(path, rows):
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def as_int(text):
    return int(text) if text else 0


def share(part, whole):
    return part / whole if whole else 1.0


# ---------------------------------------------------------------- our side

Replay = collections.namedtuple('Replay', 'records text exit_code complaint')


def replay(path, *options):
    done = subprocess.run([ACKMON, '-j', *options, '-r', path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    return Replay([json.loads(line) for line in done.stdout.splitlines()], done.stdout,
                  done.returncode, done.stderr.strip())


def tool(name, *arguments, text=None):
    done = subprocess.run([sys.executable, os.path.join(TOOLS, name), *arguments], input=text,
                          stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return done.stdout


def decap_options():
    usage = subprocess.run([ACKMON, '-h'], stdout=subprocess.PIPE, text=True, timeout=10).stdout
    return ('--decap', 'all') if '--decap' in usage else ()


def of_end(record, side, field):
    return record.get('%s_%s' % (SIDES[side], field)) or 0


def counted(record, side, count):
    return sum(of_end(record, side, field) for field in count.fields)


def ends_of(row):
    return frozenset([(row['client'], row['cport']), (row['server'], row['sport'])])


def ends_of_record(record):
    return frozenset([(record['opener_addr'], str(record['opener_port'])),
                      (record['responder_addr'], str(record['responder_port']))])


# ---------------------------------------------------------------- which captures can be compared

def reason_to_leave_out(name, tunnels, replayed, decap):
    """A word, or None. What is not read yet is no disagreement; a damaged file is apart."""
    if tunnels[name] and not decap:
        return 'tunnel: ' + '/'.join(sorted(tunnels[name]))
    if 'is not supported' in replayed.complaint:
        return re.search(r'link type \S+', replayed.complaint).group(0)
    return None


def summed(complaint, words):
    found = re.search(r'([\d,]+) (?:\(%s|%s)' % (words, words), complaint)
    return int(found.group(1).replace(',', '')) if found else 0


def compare_frames(tap, replays):
    """Every TCP frame the oracle found is tracked, inner ones too, but those whose IP length is a lie."""
    theirs = collections.Counter(row['file'] for row in
                                 read_table(os.path.join(TRUTH, 'oracle_ev.csv')))
    same, believed = 0, 0
    for name, replayed in replays.items():
        ours = summed(replayed.complaint, 'tracked in')
        overlong = summed(replayed.complaint, 'IP length beyond')
        same += ours == theirs[name]
        if ours < theirs[name] <= ours + overlong:
            believed += 1
            say('%s: %d frames by the oracle, which believes IP lengths beyond the frame; we '
                'track %d' % (name, theirs[name], ours))
        elif ours != theirs[name]:
            say('%s: %d TCP frames by the oracle, %d by us' % (name, theirs[name], ours))
    tap.check(same + believed == len(replays),
              'frames: in %d of %d public captures as many as the oracle found, in %d it believes '
              'an IP length we do not' % (same, len(replays), believed))


def choose_captures(tap, oracle, decap):
    """Replays every public capture; returns those to compare and the number that fell over."""
    apart = {row['file']: row['robustness_only']
             for row in read_table(os.path.join(SHARED, 'captures', 'manifest.csv'))}
    tunnels = collections.defaultdict(set)
    for row in oracle:
        if row['tunnel']:
            tunnels[row['file']].add(row['tunnel'])

    chosen, fallen, replays = {}, 0, {}
    say('public captures left out')
    for name in sorted(os.listdir(PUBLIC)):
        replayed = replay(os.path.join(PUBLIC, name), *decap)
        fallen += replayed.exit_code not in (0, 1, 3)
        replays[name] = replayed
        why = apart.get(name) or reason_to_leave_out(name, tunnels, replayed, decap)
        if why:
            say('  %-72s %s' % (name[:72], why))
        else:
            chosen[name] = replayed
    compare_frames(tap, replays)
    return chosen, fallen


# ---------------------------------------------------------------- the oracle

class Verdicts:
    """The oracle's verdict on every frame of the captures we compare."""

    def __init__(self, names):
        self.of_flow = collections.defaultdict(list)
        self.of_frame = {}
        for row in read_table(os.path.join(TRUTH, 'oracle_ev.csv')):
            if row['file'] in names:
                self.of_flow[row['file'], row['flow']].append(row)
                self.of_frame[row['file'], row['frame']] = row

    def count(self, flow, side, count, frame_max):
        return sum(count.frame(row['label'], row['info']) for row in self.of_flow[flow]
                   if row['dir'] == side and int(row['frame']) <= frame_max)


def record_at(path, row, frame):
    """Our record of a flow when the capture ends at this frame."""
    records = [r for r in replay(path, '-c', str(frame)).records
               if ends_of_record(r) == ends_of(row)]
    return records[-1] if records else None


def side_in(record, row, side):
    same = (record['opener_addr'], str(record['opener_port'])) == (row['client'], row['cport'])
    return side if same else {'c2s': 's2c', 's2c': 'c2s'}[side]


class Parting:
    """Finds the frame from which our count and the oracle's differ."""

    def __init__(self, verdicts, row, side, count):
        self.path = os.path.join(PUBLIC, row['file'])
        self.verdicts, self.row, self.side, self.count = verdicts, row, side, count
        self.flow = row['file'], row['flow']

    def ours(self, frame):
        record = record_at(self.path, self.row, frame)
        if record is None:
            return {}
        side = side_in(record, self.row, self.side)
        prefix = SIDES[side] + '_'
        return {k[len(prefix):]: v for k, v in record.items() if k.startswith(prefix)}

    def differs(self, frame):
        end = self.ours(frame)
        ours = sum(end.get(field) or 0 for field in self.count.fields)
        return ours != self.verdicts.count(self.flow, self.side, self.count, frame)

    def describe(self):
        frames = [int(row['frame']) for row in self.verdicts.of_flow[self.flow]]
        low, high = 0, len(frames) - 1
        while low < high:
            middle = (low + high) // 2
            if self.differs(frames[middle]):
                high = middle
            else:
                low = middle + 1
        frame = frames[low]
        before, after = self.ours(frame - 1) if frame > 1 else {}, self.ours(frame)
        classes = [field for _, field in CLASSES] + ['retransmitted_segments']
        grown = [field for field in classes if (after.get(field) or 0) != (before.get(field) or 0)]
        row = self.verdicts.of_frame[self.row['file'], str(frame)]
        return 'frame %d, oracle: %s %s; ours: %s' % (frame, row['label'], row['info'],
                                                      ' '.join(grown) or 'new or none')


def compare_count(tap, count, chosen, oracle, verdicts, work):
    """Lets the shared tools score one way of counting, and tells where we differ."""
    truth_path, mine_path, flows_path = (os.path.join(work, count.name + name)
                                         for name in ('.truth', '.mine', '.flows'))
    truth = [row for row in oracle if row['file'] in chosen]
    rows = [tool('ackmon_rows.py', '--file', name, '--count', count.name, text=replayed.text)
            for name, replayed in chosen.items()]
    write_table(truth_path, truth)
    with open(mine_path, 'w') as file:
        file.write(rows[0] + ''.join(row.split('\n', 1)[1] for row in rows[1:]))
    scored = tool('score.py', truth_path, mine_path, '--retx', count.score,
                  '--per-flow', flows_path)
    say()
    say('%s, against the oracle' % count.name)
    for line in scored.splitlines():
        say('  ' + line)
    tell_differences(count, read_table(flows_path), verdicts)
    judge_score(tap, count, scored)


def tell_differences(count, flows, verdicts):
    shown = 0
    for row in flows:
        for side in SIDES:
            if row['truth_' + side] == row['mon_' + side]:
                continue
            shown += 1
            if shown <= SHOWN_MAX:
                say('  %s flow %s %s: oracle %s, ours %s; %s' % (
                    row['file'], row['flow'], side, row['truth_' + side], row['mon_' + side],
                    Parting(verdicts, row, side, count).describe()))
        if row['truth_hs_us'] != row['mon_hs_us'] and 'time-backwards' not in row['notes']:
            say('  %s flow %s: opening %s us by the oracle, %s us by us' % (
                row['file'], row['flow'], row['truth_hs_us'] or 'none', row['mon_hs_us'] or 'none'))
    if shown > SHOWN_MAX:
        say('  and %d more' % (shown - SHOWN_MAX))


def judge_score(tap, count, scored):
    def number(pattern):
        return float(re.search(pattern, scored).group(1))

    precision, recall = number(r'precision ([\d.]+)'), number(r'recall ([\d.]+)')
    exact = number(r'directions with any \(([\d.]+)\)')
    missed, extra = number(r'missed (\d+)'), number(r'extra in monitor (\d+)')
    given, false = number(r'given \d+ \(([\d.]+)\)'), number(r'false (\d+)')
    # The capture's resolution is a microsecond at best; score.py prints three more digits.
    error = re.search(r'max ([\d.]+|nan), relative', scored).group(1)
    tap.check(precision >= PRECISION_MIN and recall >= RECALL_MIN,
              '%s: precision %.4f and recall %.4f are at least %.3f' % (
                  count.name, precision, recall, RECALL_MIN))
    tap.check(exact >= EXACT_MIN, '%s: %.4f of the directions exact, at least %.2f' % (
        count.name, exact, EXACT_MIN))
    if count.name == 'strict':
        tap.check(not missed and not extra, 'flows: %d missed, %d too many' % (missed, extra))
        tap.check(given == 1 and not false and error in ('nan', '0.000'),
                  'openings: %.4f given, %d invented, largest error %s us' % (given, false, error))


def pair_records(rows, records):
    """Rows of a table and our records of the same ends, in the order of time."""
    ours = collections.defaultdict(list)
    for record in sorted(records, key=lambda r: r['start_ns']):
        ours[ends_of_record(record)].append(record)
    theirs = collections.defaultdict(list)
    for row in rows:
        theirs[ends_of(row)].append(row)
    for ends, of_ends in theirs.items():
        if len(ours[ends]) == len(of_ends):
            yield from zip(of_ends, ours[ends])


def compare_classes(chosen, oracle, verdicts):
    """The classes beside the repeats. A report: the oracle is a judge of repeats, not of these."""
    rows = collections.defaultdict(list)
    for row in oracle:
        rows[row['file']].append(row)
    agreed, sums, parted = collections.Counter(), collections.Counter(), collections.Counter()
    say()
    say('the other classes, against the oracle')
    for name, replayed in chosen.items():
        for row, record in pair_records(rows[name], replayed.records):
            for side in SIDES:
                mine = side_in(record, row, side)
                for theirs, ours in CLASSES:
                    a, b = int(row['%s_%s' % (theirs, side)]), of_end(record, mine, ours)
                    if not a and not b:
                        continue
                    agreed[ours] += a == b
                    parted[ours] += a != b
                    sums[ours, 'oracle'] += a
                    sums[ours, 'ours'] += b
                    if a != b:
                        say('  %s flow %s %s: %s: oracle %d, ours %d; frames %s' % (
                            name, row['flow'], side, ours, a, b,
                            frames_of(verdicts, (name, row['flow']), side, theirs)))
    say('  (Without IP-ID and TSval the oracle\'s reordering window is half a round trip, ours a')
    say('  quarter, RFC 8985. It counts reordered and unresolved frames, we wire segments.)')
    say()
    say('%-20s %8s %8s %12s' % ('class', 'oracle', 'ours', 'directions'))
    for _, ours in CLASSES:
        say('%-20s %8d %8d %5d of %4d' % (ours, sums[ours, 'oracle'], sums[ours, 'ours'],
                                          agreed[ours], agreed[ours] + parted[ours]))


def frames_of(verdicts, flow, side, column):
    label = {'hole_retx_mss': 'hole_retx', 'retx_late': 'late-original',
             'retx_dupframe': 'dupframe'}.get(column, column)
    frames = [row['frame'] for row in verdicts.of_flow[flow]
              if row['dir'] == side and (row['label'] == label or label in row['info'].split())]
    return ' '.join(frames[:8]) or 'none'


# ---------------------------------------------------------------- tshark and tcptrace

def tshark_label(analysis):
    marks = set(analysis.split())
    for mark in ('keep_alive', 'zero_window_probe'):
        if mark in marks:
            return mark
    if marks & {'retransmission', 'fast_retransmission', 'spurious_retransmission'}:
        return 'rtx'
    return 'out_of_order' if 'out_of_order' in marks else ''


def tshark_reason(label, theirs):
    for our_label, their_label, why in TSHARK_REASONS:
        if label.startswith(our_label) and their_label == theirs:
            return why
    return None


def compare_tshark(tap, names, verdicts, verbose):
    same, groups, ours = 0, collections.defaultdict(list), 0
    for row in read_table(os.path.join(TRUTH, 'tshark2_fr.csv')):
        frame = row['file'], row['frame']
        if row['file'] not in names or frame not in verdicts.of_frame:
            continue
        label, theirs = verdicts.of_frame[frame]['label'], tshark_label(row['analysis'])
        if label in QUIET and not theirs:
            continue
        ours += 1
        if TSHARK_SAME.get(label) == theirs:
            same += 1
        else:
            groups[tshark_reason(label, theirs) or 'unexplained: %s, tshark %s' % (
                label, theirs or 'nothing')].append(frame)
    say()
    say('tshark (two passes): of %d frames that either of us remarks on %d agree' % (ours, same))
    tell_groups(groups, verbose)
    tap.check(not any(why.startswith('unexplained') for why in groups),
              'tshark: each of %d frames we differ on has a reason' % (ours - same))


def tell_groups(groups, verbose):
    for why, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        members.sort(key=lambda member: (member[0], int(member[1])))
        say('  %4d  %s' % (len(members), why))
        for member in members if verbose else members[:2]:
            say('          %s #%s' % member)


def tcptrace_reason(row, side, theirs):
    """Why tcptrace counts another number of repeats than we do."""
    more = theirs - int(row['retx_' + side])
    if more > 0 and more == int(row['keepalive_' + side]) + int(row['zwp_' + side]):
        return 'keepalives and window probes of one octet are repeats to tcptrace'
    return None


def tcptrace_partition_reason(row):
    if ':' in row['client'] and (row['notes'] or row['file'].startswith(('ipsumdump', 'tcpflow'))):
        return 'tcptrace does not read IPv6 behind a loopback header or a fragment header'
    return 'tcptrace begins a connection at every SYN it does not know, or after a close'


def example_frame(verdicts, flow, side):
    for row in verdicts.of_flow[flow]:
        if row['dir'] == side and row['label'] in ('keepalive', 'zwp', 'retx'):
            return row['frame']
    return verdicts.of_flow[flow][0]['frame']


def compare_tcptrace(tap, names, oracle, verdicts, verbose):
    theirs = collections.defaultdict(list)
    for row in read_table(os.path.join(TRUTH, 'tcptrace.csv')):
        ends = frozenset([(row['host_a'], row['port_a']), (row['host_b'], row['port_b'])])
        theirs[row['file'], ends].append(row)
    ours = collections.defaultdict(list)
    for row in oracle:
        if row['file'] in names:
            ours[row['file'], ends_of(row)].append(row)

    same, groups = 0, collections.defaultdict(list)
    for key, rows in ours.items():
        if len(theirs[key]) != len(rows):
            for row in rows:
                groups[tcptrace_partition_reason(row)].append((row['file'], row['first_frame']))
            continue
        for row, other in zip(rows, theirs[key]):
            for side in SIDES:
                a_sent = (other['host_a'], other['port_a']) == (row['client'], row['cport'])
                way = 'a2b' if a_sent == (side == 'c2s') else 'b2a'
                rexmt = int(other['rexmt_data_pkts_' + way])
                if rexmt == int(row['retx_' + side]):
                    same += 1
                    continue
                why = tcptrace_reason(row, side, rexmt) or 'unexplained'
                frame = example_frame(verdicts, (row['file'], row['flow']), side)
                groups[why].append((row['file'], frame))
    parted = sum(len(members) for members in groups.values())
    say()
    say('tcptrace, repeats by direction: %d agree' % same)
    tell_groups(groups, verbose)
    tap.check('unexplained' not in groups, 'tcptrace: each of %d differences has a reason' % parted)


# ---------------------------------------------------------------- recordings of real transfers

class LiveSums(collections.Counter):
    """What one recording, or all of them, add up to."""

    columns = (('connections', 'flows'), ('kernel', 'kernel'), ('exact', 'exact'),
               ('directions', 'of sides'), ('filled', 'filled'), ('oracle_filled', 'oracle'),
               ('lossy_exact', 'est exact'), ('lossy', 'of lossy'), ('invented', 'invented'))

    @classmethod
    def header(cls):
        return '%-14s' % 'recording' + ''.join('%10s' % title for _, title in cls.columns) + \
            '%14s' % 'RTT-kernel us'

    def line(self, name):
        return '%-14s' % name + ''.join('%10d' % self[key] for key, _ in self.columns) + \
            '%14.1f' % (self['rtt_error_ns'] / 1000 / max(self['rtt'], 1))


def live_records(scenario, end):
    records = collections.defaultdict(list)
    path = os.path.join(LIVE, scenario, end + '.pcap.gz')
    for record in sorted(replay(path).records, key=lambda r: r['start_ns']):
        records[record['opener_addr'], str(record['opener_port'])].append(record)
    return records


def live_triples(scenario):
    """(row of the truth, record at the client, record at the server), connection by connection."""
    ends = {end: live_records(scenario, end) for end in 'ab'}
    seen = collections.Counter()
    for row in read_table(os.path.join(LIVE, scenario, 'truth.csv')):
        key = row['client'], row['cport']
        number = seen[key]
        seen[key] += 1
        yield row, *(ends[end][key][number] if number < len(ends[end][key]) else None
                     for end in 'ab')


def kernel_count(row, side, name):
    return as_int(row['%s_%s' % (side[0], name)])


def live_at_sender(sums, scenario, row, record, side):
    ours = tuple(of_end(record, side, 'retransmitted_' + what) for what in ('segments', 'bytes'))
    kernel = kernel_count(row, side, 'total_retrans'), kernel_count(row, side, 'bytes_retrans')
    sums['directions'] += 1
    sums['kernel'] += kernel[0]
    sums['exact'] += ours == kernel
    if ours != kernel:
        say('  %s connection %s %s: kernel %d segments %d bytes, ours %d and %d' % (
            scenario, row['id'], side, *kernel, *ours))


def live_behind(sums, scenario, row, record, side):
    """At the other end. A SYN lost on the way leaves nothing behind that one could see."""
    kernel = kernel_count(row, side, 'total_retrans') - kernel_count(row, side, 'retrans0')
    repeats_of_opening = record.get('syn_retrans' if side == 'c2s' else 'synack_retrans') or 0
    ours = of_end(record, side, 'retransmitted_segments') - repeats_of_opening + \
        of_end(record, side, 'recovered_segments')
    end = {'c2s': 'b', 's2c': 'a'}[side]
    sums['filled'] += of_end(record, side, 'recovered_segments')
    sums['oracle_filled'] += as_int(row['%s_hole_retx_mss_%s' % (end, side)])
    for name in ('keepalive', 'zwp'):
        sums['probes'] += as_int(row['%s_%s_%s' % (end, name, side)])
    sums['our_probes'] += of_end(record, side, 'keepalives') + of_end(record, side, 'window_probes')
    if kernel > 0:
        sums['lossy'] += 1
        sums['lossy_exact'] += ours == kernel
        if ours != kernel:
            return kernel - ours, of_end(record, side, 'unresolved')
    else:
        sums['invented'] += max(ours, 0)
        if ours > 0:
            say('  %s connection %s %s: nothing was sent again, we say %d' % (
                scenario, row['id'], side, ours))


def explain_misses(sums, scenario, misses):
    """What we do not count behind the loss never passed there, or came first, or nothing told what it was."""
    captures = {end: never_passed.by_way(os.path.join(LIVE, scenario, end + '.pcap.gz'))
                for end in 'ab'} if misses else {}
    for row, side, missing, unresolved in misses:
        sender, tap = ('a', 'b') if side == 'c2s' else ('b', 'a')
        port, mss = int(row['cport']).to_bytes(2, 'big'), int(row['%s_snd_mss' % side[0]])
        ways = [way for way in captures[sender] if port == way[1 if side == 'c2s' else 3]]
        unseen = [found for way in ways
                  for found in never_passed.unseen(captures[sender][way], captures[tap][way])]
        explained = sum(max(1, -(-segment.payload // mss)) for segment, _ in unseen)
        sums['misses'] += 1
        sums['explained'] += 0 <= missing - explained <= unresolved
        say('  %s connection %s %s: %d sent again and not counted behind the loss: %s' % (
            scenario, row['id'], side, missing,
            ', '.join(['frame %d %s' % (segment.frame, why) for segment, why in unseen] +
                      ['%d unresolved' % (missing - explained)] * (missing != explained))))


def live_round_trip(sums, row, record):
    ours, kernel_us = record.get('responder_rtt_min_ns'), row['c_min_rtt_us']
    if ours is None or not kernel_us:
        return
    sums['rtt'] += 1
    kernel = int(kernel_us) * 1000
    sums['rtt_error_ns'] += ours - kernel
    sums['rtt_good'] += (1 - RTT_BELOW_MAX) * kernel - RTT_STACK_NS <= ours <= \
        (1 + RTT_ABOVE_MAX) * kernel + RTT_ROUNDING_NS


def compare_recording(scenario):
    sums, misses = LiveSums(), []
    for row, at_client, at_server in live_triples(scenario):
        sums['connections'] += 1
        if at_client is None or at_server is None:
            sums['missing'] += 1
            say('  %s connection %s: no record' % (scenario, row['id']))
            continue
        live_at_sender(sums, scenario, row, at_client, 'c2s')
        live_at_sender(sums, scenario, row, at_server, 's2c')
        for record, side in ((at_server, 'c2s'), (at_client, 's2c')):
            missing = live_behind(sums, scenario, row, record, side)
            misses += [(row, side, *missing)] if missing else []
        live_round_trip(sums, row, at_client)
    explain_misses(sums, scenario, misses)
    return sums


def compare_live(tap):
    total, lines = LiveSums(), []
    say()
    say('recordings of real transfers, against TCP_INFO of the sending kernel')
    for scenario in sorted(os.listdir(LIVE)):
        sums = compare_recording(scenario)
        lines.append(sums.line(scenario))
        total.update(sums)
    for line in (LiveSums.header(), *lines, total.line('all')):
        say('  ' + line)
    tap.check(not total['missing'], 'recordings: each of %d connections has a record at both ends' %
              total['connections'])
    tap.check(total['exact'] == total['directions'],
              'recordings: segments and bytes as the sending kernel says, %d of %d directions' % (
                  total['exact'], total['directions']))
    tap.check(abs(total['filled'] - total['oracle_filled']) <= FILLED_TOLERANCE *
              total['oracle_filled'], 'recordings: %d lost before us, %d by the oracle' % (
                  total['filled'], total['oracle_filled']))
    tap.check(share(total['lossy_exact'], total['lossy']) >= ESTIMATE_MIN,
              'recordings: what was sent again, told from the other end: exact on %d of %d, '
              'at least %.2f' % (total['lossy_exact'], total['lossy'], ESTIMATE_MIN))
    tap.check(total['explained'] == total['misses'],
              'recordings: on %d what is missing never passed there, came first or is unresolved, packet '
              'by packet: on %d' % (total['misses'], total['explained']))
    tap.check(not total['invented'], 'recordings: %d repeats invented on clean directions' %
              total['invented'])
    tap.check(total['probes'] == total['our_probes'], 'recordings: %d probes of %d' % (
        total['our_probes'], total['probes']))
    tap.check(total['rtt_good'] == total['rtt'],
              'recordings: least round trip near the kernel\'s on %d of %d connections' % (
                  total['rtt_good'], total['rtt']))


def compare_public(tap, work, verbose):
    oracle = read_table(os.path.join(TRUTH, 'oracle.csv'))
    decap = decap_options()
    chosen, fallen = choose_captures(tap, oracle, decap)
    verdicts = Verdicts(chosen)
    tap.check(not fallen, 'public captures: %d to compare, %d ended with a crash' % (
        len(chosen), fallen))
    for count in COUNTS:
        compare_count(tap, count, chosen, oracle, verdicts, work)
    compare_classes(chosen, oracle, verdicts)
    compare_tshark(tap, chosen, verdicts, verbose)
    compare_tcptrace(tap, chosen, oracle, verdicts, verbose)


def main():
    tap = Tap()
    if not os.path.isdir(TRUTH):
        print('1..0 # SKIP no captures with known answers beside this tree (%s)' % SHARED)
        return 0
    if not os.access(ACKMON, os.X_OK):
        sys.exit('%s is not there; run make first' % ACKMON)
    with tempfile.TemporaryDirectory() as work:
        compare_public(tap, work, '-v' in sys.argv[1:])
        compare_live(tap)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
