#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Histograms of two places add up to that of both, bucket by bucket, and percentiles of the sum are those of all samples.

usage: merge_test.py      speaks TAP
Two captures of connections whose openings take what this test says, 10 us to 60 s, one near and one far; each
alone, and both in one run.
"""
import collections
import json
import math
import random
import socket
import struct
import sys

from lab import *
import inject

SYN, ACK, FIN = inject.SYN, inject.ACK, inject.FIN
CONNECTIONS = 4000
EDGE = 2.0 ** (1 / 32)
HISTOGRAMS = ("connect_histogram", "response_histogram", "opener_handshake_histogram", "responder_handshake_histogram",
              "opener_rtt_histogram", "responder_rtt_histogram")


def frames_of(number, start_ns, connect_ns, back_ns):
    """Opened, and closed by both, in so much time; of a client to one of two services."""
    a, b = struct.pack("!I", 0x0a010000 + number % 7), socket.inet_aton(f"10.2.0.{number % 2}")
    port, x, y = 1024 + number, 1000, 500000
    answered = start_ns + connect_ns
    opened = answered + back_ns
    for at, (ends, seq, ack, flags) in ((start_ns, ((a, b, port, 80), x, 0, SYN)),
                                       (answered, ((b, a, 80, port), y, x + 1, SYN | ACK)),
                                       (opened, ((a, b, port, 80), x + 1, y + 1, ACK)),
                                       (opened + 1000, ((a, b, port, 80), x + 1, y + 1, ACK | FIN)),
                                       (opened + 2000, ((b, a, 80, port), y + 1, x + 2, ACK | FIN)),
                                       (opened + 3000, ((a, b, port, 80), x + 2, y + 2, ACK))):
        yield at, inject.segment(*ends, seq, ack, flags)


def write_capture(name, day, least_ns, most_ns, dice):
    """What its openings took. Nanoseconds, in order of time."""
    took, frames = [], []
    for number in range(CONNECTIONS):
        connect_ns = round(least_ns * (most_ns / least_ns) ** (number / (CONNECTIONS - 1)))
        back_ns = round(least_ns * (most_ns / least_ns) ** dice.random())
        took.append((connect_ns, back_ns))
        frames += frames_of(number, day * 86400 * 10 ** 9 + dice.randrange(10 ** 9), connect_ns, back_ns)
    with open(path(name), "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for at, frame in sorted(frames, key=lambda pair: pair[0]):
            file.write(struct.pack("<IIII", at // 10 ** 9, at % 10 ** 9, len(frame), len(frame)) + frame)
    return took


def pairs_of(*captures):
    """Of each pair of labels each histogram, as a multiset of buckets."""
    words = must(ACKMON, "-q", "--labels", path("labels.csv"), "-o", "pairs,ndjson",
                 *(word for name in captures for word in ("-r", path(name))))
    found = {}
    for row in map(json.loads, words.splitlines()):
        for histogram in HISTOGRAMS:
            if histogram in row:
                buckets = collections.Counter({k: count for k, count in row[histogram]["buckets"]})
                buckets["zero"], buckets["sum_ns"] = row[histogram]["zero"], row[histogram]["sum_ns"]
                found[row["responder_namespace"], histogram] = +buckets
    return found


def bucket_of(ns):
    """k, where (2^((k-1)/32), 2^(k/32)] s holds it, without ackmon's help."""
    return math.ceil(round(math.log2(ns / 1e9) * 32, 9))


def percentile(buckets, part):
    """As Prometheus reads it: from the middle of a bucket, on a scale that grows."""
    counts = sorted((k, count) for k, count in buckets.items() if isinstance(k, int))
    wanted = part * sum(count for _, count in counts)
    for k, count in counts:
        wanted -= count
        if wanted <= 0:
            return 2.0 ** ((k - 0.5) / 32)


def main():
    dice = random.Random(6)
    with open(path("labels.csv"), "w") as file:
        file.write("prefix,namespace\n10.1.0.0/16,clients\n10.2.0.0,even\n10.2.0.1,odd\n")
    near = write_capture("near.pcap", 1, 10_000, 3_000_000, dice)
    far = write_capture("far.pcap", 2, 1_000_000, 60_000_000_000, dice)
    one, other, both = pairs_of("near.pcap"), pairs_of("far.pcap"), pairs_of("near.pcap", "far.pcap")
    added = {labels: one.get(labels, collections.Counter()) + other.get(labels, collections.Counter())
             for labels in one.keys() | other.keys()}
    differ = {labels: (both.get(labels), added.get(labels)) for labels in both.keys() | added.keys()
              if both.get(labels) != added.get(labels)}
    report(not differ and len(both) >= 8, "two runs add up to the run over both, bucket by bucket, sums too", differ)
    everything = [connect for connect, _ in near + far]
    total = sum((both[name, "connect_histogram"] for name in ("even", "odd")), collections.Counter())
    wanted = collections.Counter(map(bucket_of, everything))
    got = collections.Counter({k: count for k, count in total.items() if isinstance(k, int)})
    report(got == wanted, "each of 8000 openings, 10 us to 60 s, is in the bucket that holds it", got - wanted, wanted - got)
    report(total["sum_ns"] == sum(everything), "their sum is exact", total["sum_ns"], sum(everything))
    wrong = []
    for names, leg, samples in ((("even", "odd"), "connect_histogram", everything),
                                (("even", "odd"), "opener_handshake_histogram", [back for _, back in near + far])):
        buckets = sum((added[name, leg] for name in names), collections.Counter())
        for part in (0.5, 0.95, 0.99):
            exact = sorted(samples)[math.ceil(part * len(samples)) - 1] / 1e9
            if abs(percentile(buckets, part) / exact - 1) > 0.03:
                wrong.append((leg, part, exact, percentile(buckets, part)))
    report(not wrong, "p50, p95 and p99 of the sum are those of all samples within 3%", wrong)
    end()


main()
