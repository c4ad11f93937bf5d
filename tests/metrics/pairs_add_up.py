#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The records of a capture add up to its pairs of labels: nothing is counted twice, nothing is left out.

usage: pairs_add_up.py [CAPTURE...]      default: all of pcaps/ and, when it is there, ../shared; speaks TAP
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.environ.get("ACKMON", os.path.join(ROOT, "build", "ackmon"))
OUTCOMES = ("established", "refused", "reset", "no_answer", "unreachable", "abandoned", "midstream")
SIDES = {"segments": "segments", "payload_bytes": "payload_bytes", "spurious_segments": "spurious",
         "retransmitted_segments": "retransmitted_segments", "lost_before_segments": "recovered_segments",
         "reordered_segments": "reordered", "zero_window_ns": "zero_window_ns"}


# A connection that never proved itself gives no samples. Here a single segment follows the SYN-ACK, and it
# acknowledges something else: by the record it opened, by the rules of promotion it never did.
EXPLAINED = {"arkime__tcp_handshake_synthetic.pcap": {"connect_samples": 1, "responder_rtt_samples": 1}}


def rows(path, output):
    result = subprocess.run([ACKMON, "-q", "-r", path, "-o", output], capture_output=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def sums_of_records(records):
    sums = dict.fromkeys(("connections",) + OUTCOMES + tuple(SIDES), 0)
    for record in records:
        sums["connections"] += 1
        sums[record["outcome"]] += 1
        for name, field in SIDES.items():
            sums[name] += record["opener_" + field] + record["responder_" + field]
    return sums


def sums_of_pairs(pairs, names):
    return {name: sum(pair[name] for pair in pairs) for name in names}


def samples_of_records(records):
    """Of connections that opened; the others give no samples."""
    opened = [r for r in records if r["outcome"] in ("established", "midstream")]
    return {
        "connect_samples": sum("connect_ns" in r for r in opened),
        "response_samples": sum("response_ns" in r for r in opened),
        "opener_rtt_samples": sum(r["opener_rtt_samples"] for r in opened),
        "responder_rtt_samples": sum(r["responder_rtt_samples"] for r in opened),
    }


def differences(path):
    records, pairs = rows(path, "ndjson"), rows(path, "pairs,ndjson")
    expected = sums_of_records(records)
    expected.update(samples_of_records(records))
    got = sums_of_pairs(pairs, expected)
    for name, count in EXPLAINED.get(os.path.basename(path), {}).items():
        expected[name] -= count
    return len(records), [f"{name}: records {expected[name]}, pairs {got[name]}" for name in expected
                          if expected[name] != got[name]]


def default_captures():
    for folder in (os.path.join(ROOT, "pcaps"), os.path.join(ROOT, "..", "shared", "captures", "public")):
        if os.path.isdir(folder):
            for name in sorted(os.listdir(folder)):
                if ".pcap" in name or name.endswith(".cap"):
                    yield os.path.join(folder, name)


def main():
    captures, flows, failed = sys.argv[1:] or list(default_captures()), 0, 0
    for number, path in enumerate(captures, 1):
        count, differ = differences(path)
        flows += count
        failed += bool(differ)
        print(f"{'not ok' if differ else 'ok'} {number} - the records of {os.path.basename(path)} add up to its pairs")
        for line in differ:
            print("#", line)
    print(f"1..{len(captures)}")
    print(f"# {flows} flows")
    sys.exit(1 if failed or not flows else 0)


main()
