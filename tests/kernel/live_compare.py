#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds live records against the kernels' words; prints what differs, nothing when all agree.

usage: live_compare.py client|server|connect|accounting DIR

DIR has {a,b}.ndjson and {a,b}.err of the two watchers, client.csv and server.csv of the two ends, and
{a,b}.{before,after}: packets their interfaces received and sent, and ackmon's summary of that moment.
"""

import csv
import json
import re
import statistics
import sys

# connect() begins before the SYN leaves and returns after the SYN-ACK came: 6-60 us longer on an idle
# machine. Usually little more; on a busy one a process may wait for its turn for long (55 ms were seen).
# To take another SYN for the first is what can go wrong, and is an error of a second or more.
CONNECT_MEDIAN_US = 500
CONNECT_SLACK_US = 900000


def records(path):
    with open(path) as file:
        return {record["opener_port"]: record for record in map(json.loads, file)
                if record["responder_port"] == 8080}


def ends(path):
    with open(path, newline="") as file:
        return [line for line in csv.DictReader(file) if line["end"] != "end"]


def compare_repeats(found, lines, end):
    total = 0
    for line in lines:
        if line["outcome"] not in ("done", "reset") or not line["total_retrans"]:
            continue
        port = int(line["client_port"])
        record = found.get(port)
        if record is None:
            print(f"port {port}: no record")
            continue
        for ours, kernels in (("retransmitted_segments", "total_retrans"),
                              ("retransmitted_bytes", "bytes_retrans")):
            if record[f"{end}_{ours}"] != int(line[kernels]):
                print(f"port {port}: {end}_{ours} {record[f'{end}_{ours}']}, "
                      f"{kernels} {line[kernels]}")
        total += int(line["total_retrans"])
    if total == 0:
        print("nothing was sent again: the test proved nothing")
    if len(found) < len(lines):
        print(f"{len(found)} records of {len(lines)} connections")


def compare_connect(found, lines):
    slow, longer = 0, []
    for line in lines:
        record = found.get(int(line["client_port"] or 0))
        if record is None or not line["connect_us"]:
            continue
        if "connect_ns" not in record:
            print(f"port {line['client_port']}: no connect_ns")
            continue
        connect_us = record["connect_ns"] / 1000
        longer_us = int(line["connect_us"]) - connect_us
        longer.append(longer_us)
        slow += connect_us > 900000
        if not -1 <= longer_us <= CONNECT_SLACK_US:
            print(f"port {line['client_port']}: connect() {line['connect_us']} us, "
                  f"connect_ns {connect_us:.0f} us")
    if longer and statistics.median(longer) > CONNECT_MEDIAN_US:
        print(f"connect() takes {statistics.median(longer):.0f} us longer in the median")
    if slow == 0:
        print("no SYN was lost: the test proved nothing")


def grouped(text):
    return int(text.replace(",", ""))


def doors(summary):
    """Frames seen on the way in and on the way out; both doors have seen some, so both are named."""
    counts = {name: grouped(count) for count, name in
              re.findall(r"([\d,]+) (XDP ingress|TC ingress|TC egress)", summary)}
    return counts.get("XDP ingress", 0) + counts.get("TC ingress", 0), counts.get("TC egress", 0)


def snapshot(path):
    with open(path) as file:
        packets, summary = file.read().strip().splitlines()
    return [int(word) for word in packets.split()], doors(summary)


def compare_interface(directory, host):
    before, doors_before = snapshot(f"{directory}/{host}.before")
    after, doors_after = snapshot(f"{directory}/{host}.after")
    for way, name in enumerate(("ingress", "egress")):
        ours = doors_after[way] - doors_before[way]
        interface = after[way] - before[way]
        if ours != interface:
            print(f"{host}: {name} {ours} frames, {interface} by the interface")
        if interface < 100:
            print(f"{host}: {name} {interface} frames: the test proved nothing")


def compare_sum(directory, host):
    with open(f"{directory}/{host}.err") as file:
        summary = file.read().strip().splitlines()[-1]
    seen, tracked = re.search(r"([\d,]+) frames? seen.*?, ([\d,]+) tracked", summary).groups()
    untracked = re.search(r"; not tracked: ([^;]*)", summary)
    reasons = sum(map(grouped, re.findall(r"([\d,]+) \(", untracked.group(1)))) if untracked else 0
    if grouped(seen) != grouped(tracked) + reasons:
        print(f"{host}: seen {seen}, tracked {tracked}, by reason {reasons}")
    if "; lost: " in summary:
        print(f"{host}: {summary}")


def main():
    what, directory = sys.argv[1:3]
    if what == "client":
        compare_repeats(records(f"{directory}/a.ndjson"), ends(f"{directory}/client.csv"), "opener")
    elif what == "server":
        compare_repeats(records(f"{directory}/b.ndjson"), ends(f"{directory}/server.csv"),
                        "responder")
    elif what == "connect":
        compare_connect(records(f"{directory}/a.ndjson"), ends(f"{directory}/client.csv"))
    else:
        for host in ("a", "b"):
            compare_interface(directory, host)
            compare_sum(directory, host)


if __name__ == "__main__":
    main()
