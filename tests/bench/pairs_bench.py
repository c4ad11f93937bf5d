#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections a second that the aggregation takes, live, and what becomes of them.

usage: pairs_bench.py [CONNECTIONS]      needs root; make test-programs builds what it uses
Frames of whole connections, six each, come in on a veth as fast as BPF_PROG_RUN makes them (live frames through XDP),
pass TC, where ackmon counts them in 256 pairs of labels, and are thrown away by the stack. Beside it the same
frames with nobody there, and with ackmon that counts no pairs. The reader writes a record for each meanwhile.
"""
import json
import os
import re
import resource
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "metrics"))
from lab import *
import inject

FLOOD = os.path.join(ROOT, "build", "tests", "flood")
CONNECTIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
FRAMES = 6


def write_labels():
    """Two hundred and fifty-six connections of a /24 go to sixteen services."""
    with open(path("labels.csv"), "w") as file:
        file.write("prefix,namespace,region\n")
        for i in range(512):
            file.write(f"198.{18 + i // 256}.{i % 256}.0/24,client{i % 16},us\n")
        for i in range(16):
            file.write(f"203.0.113.{i},service{i},eu\n")


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def flood(name):
    """The frames' way through programs and stack is the flood's own CPU time, whatever others leave of the machine."""
    before = cpu_of_children()
    words = must(*inside("fast", FLOOD, "churn", "eth0", CONNECTIONS * FRAMES)).split()
    cpu, clock = cpu_of_children() - before, int(words[3]) / 1000
    print(f"  {name:28} {CONNECTIONS / cpu:10,.0f} a second of CPU {CONNECTIONS / clock:10,.0f} by the clock", flush=True)
    return clock


def write_capture(count):
    """The same connections, for replay."""
    with open(path("churn.pcap"), "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number in range(count):
            opener = struct.pack("!I", 0xc6120000 + (number & 0x1ffff))
            responder = struct.pack("!I", 0xcb007100 + (number & 15))
            port = 1024 + (number >> 17)
            for at, flags in enumerate((0x02, 0x12, 0x10, 0x11, 0x11, 0x10)):
                ends = (responder, opener, 443, port) if at in (1, 4) else (opener, responder, port, 443)
                frame = inject.segment(*ends, 1000 + (at > 1) + (at == 5), 1001 + (at > 3) if at else 0, flags)
                ns = (number * FRAMES + at) * 1000
                file.write(struct.pack("<IIII", ns // 1000000000, ns // 1000 % 1000000, len(frame), len(frame)) + frame)


def replay(count):
    write_capture(count)
    for name, options in (("replay, given: read, parsed", ("-j", "-w", "/dev/null", "port 1")),
                          ("replay, records", ("-j", "-w", "/dev/null")),
                          ("replay, pairs of labels", ("-o", "pairs,ndjson", "-w", path("pairs"), "--labels", path("labels.csv")))):
        before = cpu_of_children()
        must(ACKMON, "-n", "-q", "-r", path("churn.pcap"), *options)
        rate = count / (cpu_of_children() - before)
        print(f"  {name:28} {rate:10,.0f} a second of CPU", flush=True)
    with open(path("pairs")) as file:
        counted = sum(row["connections"] for row in map(json.loads, file) if "connections" in row)
    report(counted == count, "replay counts every connection once", counted)
    report(rate >= 200000, "at least 200,000 connections a second of CPU, in pairs and as records", rate)


def values(name):
    found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", ask("metrics").decode(), re.M)
    return {labels: float(value) for labels, value in found}


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(*options):
    monitor = start("ackmon", *inside("fast", ACKMON, "-i", "eth0", "-n", "-m", "tc", "-o", "csv", "-H", "-e", "outcome", "-w",
                                      path("flows.csv"), "--flows", "4000000", "--closed-timeout", "0.1", *options))
    wait_for(lambda: "room for" in said("ackmon"), "ackmon")
    return monitor


def main():
    needs_root("pairs")
    add_host("fast")
    must("ip", "-n", PREFIX + "fast", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for name in ("eth0", "eth1"):
        must("ip", "-n", PREFIX + "fast", "link", "set", name, "up")
    write_labels()
    print(f"connections a second, {CONNECTIONS} connections of {FRAMES} frames; load {os.getloadavg()[0]:.1f}")
    flood("nobody there")
    monitor = watch()
    flood("ackmon, no pairs")
    stop(monitor, signal.SIGINT)
    os.unlink(path("ackmon"))
    os.unlink(path("flows.csv"))
    monitor = watch("--labels", path("labels.csv"), "--listen", path("metrics"))
    wait_for(lambda: ask("metrics", "/"), "ackmon to answer")
    reader = cpu_of(monitor.pid)
    clock = flood("ackmon, pairs of labels")
    becomes(lambda: os.path.getsize(path("flows.csv")) >= CONNECTIONS * len("established\n"), 60)
    reader = cpu_of(monitor.pid) - reader
    counted = sum(value for labels, value in values("ackmon_connections_total").items() if "established" in labels)
    samples = sum(values("ackmon_connect_seconds_count").values())
    lost = values("ackmon_events_lost_total")
    evicted = values("ackmon_flows_evicted_total")
    stop(monitor, signal.SIGINT)
    summary = said("ackmon").splitlines()[-1]
    with open(path("flows.csv")) as file:
        records = sum(1 for _ in file)
    gone = sum(lost.values()) + sum(evicted.values())
    print(f"  given {CONNECTIONS / clock:,.0f} a second, taken into pairs {counted / clock:,.0f} a second; the reader's part, a record for "
          f"each, {CONNECTIONS / reader:,.0f} a second of CPU")
    print(f"  given {CONNECTIONS:,}, in pairs {counted:,.0f}, samples of connect {samples:,.0f}, records {records:,}, counted as lost or refused {gone:,.0f}")
    print(f"  {summary}")
    report(records + gone == CONNECTIONS, "no event is lost unaccounted: written and counted as lost are all", records, lost, evicted)
    report(counted == samples == CONNECTIONS, "every connection counted once in its pair, with its sample")
    replay(CONNECTIONS // 2)
    end()


main()
