#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What watching costs as connections come faster: of a CPU in the kernel, and of one in the reader.

usage: growth_bench.py [SECONDS]      needs root; make test-programs builds what it uses
Whole connections of six frames come in on a veth at a steady rate, pass TC and are thrown away by the stack; once with
nobody there, once with ackmon, which writes a record for each. In the kernel is what the same frames took more.
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "metrics"))
from lab import *

FLOOD = os.path.join(ROOT, "build", "tests", "flood")
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
RATES = (1000, 10000, 30000, 60000)
FRAMES = 6


def cpu_of(pid):
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def cpu_of_children():
    times = os.times()
    return times.children_user + times.children_system


def flood(rate):
    """CPU seconds, and connections a second as they really came."""
    before = cpu_of_children()
    words = must(*inside("grows", FLOOD, "churn", "eth0", rate * SECONDS * FRAMES, rate * FRAMES)).split()
    return cpu_of_children() - before, rate * SECONDS * 1000 / int(words[3])


def watched(rate):
    """CPU seconds of the same frames and of the reader until it has written all, and what was written."""
    monitor = start("ackmon", *inside("grows", ACKMON, "-i", "eth0", "-n", "-m", "tc", "-j", "-w", path("flows"), "--flows", "4000000"))
    wait_for(lambda: "room for" in said("ackmon"), "ackmon")
    idle = cpu_of(monitor.pid)
    frames, real = flood(rate)
    before = cpu_of_children() + idle
    stop(monitor, signal.SIGINT)
    reader = cpu_of_children() - before
    with open(path("flows")) as file:
        records = sum(1 for _ in file)
    summary = said("ackmon").splitlines()[-1]
    os.unlink(path("flows"))
    os.unlink(path("ackmon"))
    return frames, reader, real, records, summary


def main():
    needs_root("growth")
    add_host("grows")
    must("ip", "-n", PREFIX + "grows", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for name in ("eth0", "eth1"):
        must("ip", "-n", PREFIX + "grows", "link", "set", name, "up")
    print(f"connections of {FRAMES} frames, {SECONDS} s at each rate; load {os.getloadavg()[0]:.1f}")
    for rate in RATES:
        alone, _ = flood(rate)
        frames, reader, real, records, summary = watched(rate)
        percent = 100 * real / (rate * SECONDS)
        print(f"  {real:8,.0f} a second: in the kernel {percent * (frames - alone):5.1f}% of a CPU, in the reader "
              f"{percent * reader:5.1f}%, {records:,} records of {rate * SECONDS:,}; {summary}", flush=True)
    end()


main()
