#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs that stay count pairs of labels while nobody reads; readers come, are killed, change the labels and go.

usage: kept_test.py [READERS]      needs root; speaks TAP
At the end each connection was counted once, in the labels that were in force, whatever became of the readers.
"""
import atexit
import collections
import csv
import os
import random
import signal
import sys
import time

from lab import *

SERVER, CLIENT, ADDRESS = "kserver", "kclient", "10.90.0.2"
READERS = int(sys.argv[1]) if len(sys.argv) > 1 else 12
BPFFS = f"/sys/fs/bpf/{PREFIX}kept"
random.seed(6)


def build():
    for host in (SERVER, CLIENT):
        add_host(host)
    wire(CLIENT, SERVER, "10.90.0")
    must(*inside(CLIENT, "ip", "addr", "add", "10.90.0.3/24", "dev", "eth0"))


def write_labels(namespace, more=""):
    """Under another name first: the reader looks at what has the name."""
    with open(path("labels.new"), "w") as file:
        file.write(f"prefix,namespace,region\n10.90.0.2,{namespace},eu\n10.90.0.1,client,us\n{more}")
    os.rename(path("labels.new"), path("labels.csv"))


def some_connections(count):
    """And three that are refused, by a port where nobody listens."""
    made = connections(CLIENT, SERVER, ADDRESS, count)
    for _ in range(3):
        run(*inside(CLIENT, "bash", "-c", f": </dev/tcp/{ADDRESS}/9"))
    return made


def reader(*options):
    return start("reader", *inside(SERVER, ACKMON, "--bpffs", BPFFS, "-n", "-i", "eth0", "-w", path("flows.csv"),
                                   *options))


def killed_readers():
    """Each at some moment, which nobody chose, while flows leave their tables."""
    made = 0
    for _ in range(READERS):
        child = reader()
        made += some_connections(20)
        time.sleep(random.random() * 1.5) # the moment is what is tried, nothing waits for it
        stop(child, signal.SIGKILL)
        made += some_connections(5) # nobody reads
    return made


def pairs():
    result = must(*inside(SERVER, ACKMON, "--bpffs", BPFFS, "-n", "-q", "-i", "eth0", "-o", "pairs,csv",
                          "--duration", "1.2"))
    sums = collections.Counter()
    table = result[result.index("opener_namespace,opener_region"):]
    for row in csv.DictReader(table.splitlines()):
        for outcome in ("established", "refused"):
            if int(row[outcome]):
                # What never opened counts when it leaves, in the labels of that moment.
                sums["refused" if outcome == "refused" else row["responder_namespace"]] += int(row[outcome])
    return sums


def settled(expected):
    """What never opened counts when it is swept out: some watches are too short for that."""
    for _ in range(20):
        got = pairs()
        if got == expected:
            break
    return got


def attach(*options):
    return must(*inside(SERVER, ACKMON, "attach", "--bpffs", BPFFS, "-i", "eth0", "--closed-timeout", "0.1", *options))


def main():
    needs_root("kept")
    build()
    write_labels("shop")
    attach("--labels", path("labels.csv"))
    expected = collections.Counter()

    expected["shop"] += some_connections(50)
    expected["refused"] += 3
    got = settled(expected)
    report(got == expected, "what happened before the first reader is counted in the labels attach was given",
           f"{got}", f"{expected}")

    made = killed_readers()
    expected["shop"] += made
    expected["refused"] += 6 * READERS
    got = settled(expected)
    report(got == expected, f"{READERS} readers killed, and none in between: each connection counted once",
           f"{got}", f"{expected}")

    # Another namespace for the same address, by a reader that is killed before it could say so at its end.
    write_labels("store", "10.90.0.4,unused,eu\n")
    child = reader("--labels", path("labels.csv"), "--listen", path("metrics"))
    wait_for(lambda: ask("metrics", "/"), "the reader") # who answers has given the kernel its labels
    expected["store"] += some_connections(30)
    expected["refused"] += 3
    write_labels("cellar")
    wait_for(lambda: "prefixes read again" in said("reader"), "the labels to be read again")
    expected["cellar"] += some_connections(40)
    expected["refused"] += 3
    stop(child, signal.SIGKILL)
    expected["cellar"] += some_connections(10)
    expected["refused"] += 3
    got = settled(expected)
    report(got == expected, "labels that a reader brings hold when it is gone; what was counted stays there",
           f"{got}", f"{expected}")

    attach() # other programs in the place of these
    expected["cellar"] += some_connections(10)
    expected["refused"] += 3
    got = settled(expected)
    report(got == expected, "attaching again without labels goes on counting", f"{got}", f"{expected}")
    end()


@atexit.register
def detach():
    """Before the hosts go: what is registered last runs first."""
    for child in list(children):
        stop(child, signal.SIGKILL)
    run(*inside(SERVER, ACKMON, "detach", "--bpffs", BPFFS))


main()
