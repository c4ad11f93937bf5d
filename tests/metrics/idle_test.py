#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Nothing to see: how often ackmon wakes up on a silent interface, and what that costs.

usage: idle_test.py      needs root; speaks TAP
It is waited until it has woken up so many times, however long that takes: a busy machine makes it longer, and what
is asked is that it takes long enough.
"""
import os
import signal
import time

from lab import *

HOST = "quiet"
WAKES = 20      # of the reader: four polls and a sweep a second
PER_SECOND = 10 # at most


def add_pair():
    add_host(HOST)
    must(*inside(HOST, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"))
    for name in "eth0", "eth1":
        must(*inside(HOST, "ip", "link", "set", name, "up"))


def processes(pid):
    """The reader, and who attaches to interfaces for it."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid] + [int(word) for word in file.read().split()]


def wakes(pid):
    """How often it went to sleep by itself, all threads."""
    count = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            count += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return count


def cpu_seconds(pid):
    """To the nanosecond, unlike stat."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def watch_idle(name, *options):
    monitor = start(name + ".log", *inside(HOST, ACKMON, "-i", "eth0", "-o", "csv", "-w", path(f"{name}.csv"), *options))
    wait_for(lambda: monitor.poll() is not None or len(processes(monitor.pid)) == 2, "both processes")
    if monitor.poll() is not None:
        report(False, f"{name}: it goes on", said(name + ".log"))
        return
    reader, deputy = processes(monitor.pid)
    begun = wakes(reader)
    wait_for(lambda: wakes(reader) > begun + 2, f"{name}: the reader's timers")
    before = {pid: (wakes(pid), cpu_seconds(pid)) for pid in (reader, deputy)}
    began = time.monotonic()
    wait_for(lambda: wakes(reader) >= before[reader][0] + WAKES, f"{name}: {WAKES} wake-ups", 120)
    woken, spent = wakes(reader) - before[reader][0], cpu_seconds(reader) - before[reader][1]
    woken_deputy, spent_deputy = wakes(deputy) - before[deputy][0], cpu_seconds(deputy) - before[deputy][1]
    took = time.monotonic() - began
    remark = (f"{woken} wake-ups and {1e3 * spent:.1f} ms of CPU in {took:.1f} s; of the other process {woken_deputy} and "
              f"{1e3 * spent_deputy:.1f} ms")
    report(woken <= PER_SECOND * took, f"{name}: the reader wakes up for its timers alone", remark, said(name + ".log"))
    report(woken_deputy <= 2 * took + 5, f"{name}: who attaches wakes up for news alone", remark)
    report(spent + spent_deputy < 0.01 * took, f"{name}: being idle costs less than a hundredth of a core", remark)
    stop(monitor, signal.SIGINT)


needs_root("idle")
add_pair()
watch_idle("records")
watch_idle("metrics", "--listen", path("metrics"))
end()
