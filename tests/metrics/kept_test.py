#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs that stay count pairs of labels while nobody reads; readers come, are killed, change the labels and go.

usage: kept_test.py [READERS]      needs root; speaks TAP
At the end each connection was counted once, in the labels that were in force, whatever became of the readers.
"""
import collections
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.path.join(ROOT, "build", "ackmon")
TRAFFIC = os.path.join(ROOT, "build", "tests", "traffic")
PREFIX = os.environ.get("NETNS_PREFIX", "ackmetrics-")
SERVER, CLIENT = PREFIX + "kserver", PREFIX + "kclient"
READERS = int(sys.argv[1]) if len(sys.argv) > 1 else 12
WORK = tempfile.mkdtemp(prefix="ackmon-kept-")
BPFFS = f"/sys/fs/bpf/{PREFIX}kept"
number, failed, children = 0, 0, []
random.seed(6)


def report(ok, name, *remarks):
    global number, failed
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {name}", flush=True)
    if not ok or os.environ.get("V"):
        for remark in remarks:
            print("#", remark, flush=True)


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def must(*command):
    result = run(*command)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {result.stdout}{result.stderr}")
    return result


def inside(host, *command):
    return ("nsenter", f"--net=/run/netns/{host}") + command


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise SystemExit(f"waited {seconds} s for {what}")


def start(name, *command):
    output = open(os.path.join(WORK, name), "a")
    child = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
    children.append(child)
    return child


def stop(child, how):
    child.send_signal(how)
    child.wait(timeout=60)
    children.remove(child)


def build():
    for host in (SERVER, CLIENT):
        run("ip", "netns", "del", host)
        must("ip", "netns", "add", host)
        must("ip", "-n", host, "link", "set", "lo", "up")
    must("ip", "-n", SERVER, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", CLIENT)
    for host, last in ((CLIENT, 1), (SERVER, 2)):
        must("ip", "-n", host, "addr", "add", f"10.90.0.{last}/24", "dev", "eth0")
        must("ip", "-n", host, "link", "set", "eth0", "up")
    must(*inside(CLIENT, "ip", "addr", "add", "10.90.0.3/24", "dev", "eth0"))


def write_labels(namespace, more=""):
    """Under another name first: the reader looks at what has the name."""
    with open(f"{WORK}/labels.new", "w") as file:
        file.write(f"prefix,namespace,region\n10.90.0.2,{namespace},eu\n10.90.0.1,client,us\n{more}")
    os.rename(f"{WORK}/labels.new", f"{WORK}/labels.csv")


def connections(count):
    """As many as the server's kernel took; refused ones, to a port where nobody listens, beside them."""
    before = passive_opens()
    server = start("server", *inside(SERVER, TRAFFIC, "server", "--count", count, "--seconds", 40))
    wait_for(lambda: must(*inside(SERVER, "ss", "-Hltn", "sport = :8080")).stdout, "the server")
    must(*inside(CLIENT, TRAFFIC, "client", "10.90.0.2", "--count", count, "--parallel", 8, "--seconds", 30))
    server.wait(timeout=60)
    children.remove(server)
    for _ in range(3):
        run(*inside(CLIENT, "bash", "-c", ": </dev/tcp/10.90.0.2/9"))
    taken = passive_opens() - before
    if taken != count:
        raise SystemExit(f"{taken} connections, not {count}")
    return taken


def passive_opens():
    lines = [line.split() for line in must(*inside(SERVER, "cat", "/proc/net/snmp")).stdout.splitlines()
             if line.startswith("Tcp:")]
    return int(dict(zip(*lines))["PassiveOpens"])


def reader(*options):
    return start("reader", *inside(SERVER, ACKMON, "--bpffs", BPFFS, "-n", "-i", "eth0", "-w", f"{WORK}/flows.csv",
                                   *options))


def answers():
    """Who answers has given the kernel its labels."""
    return run("curl", "-sS", "-m", 5, "--unix-socket", f"{WORK}/metrics", "http://x/").returncode == 0


def killed_readers():
    """Each at some moment, which nobody chose, while flows leave their tables."""
    made = 0
    for _ in range(READERS):
        child = reader()
        made += connections(20)
        time.sleep(random.random() * 1.5) # the moment is what is tried, nothing waits for it
        stop(child, signal.SIGKILL)
        made += connections(5) # nobody reads
    return made


def pairs():
    result = must(*inside(SERVER, ACKMON, "--bpffs", BPFFS, "-n", "-q", "-i", "eth0", "-o", "pairs,csv",
                          "--duration", "2.5"))
    sums = collections.Counter()
    table = result.stdout[result.stdout.index("\nopener_namespace,opener_region") + 1:] # behind the records
    for row in csv.DictReader(table.splitlines()):
        for outcome in ("established", "refused"):
            if int(row[outcome]):
                # What never opened counts when it leaves, in the labels of that moment.
                sums["refused" if outcome == "refused" else row["responder_namespace"]] += int(row[outcome])
    return sums


def attach(*options):
    return must(*inside(SERVER, ACKMON, "attach", "--bpffs", BPFFS, "-i", "eth0", "--closed-timeout", "0.1", *options))


def main():
    if os.geteuid():
        print("ok 1 - kept # SKIP needs root")
        print("1..1")
        return
    try:
        build()
        write_labels("shop")
        attach("--labels", f"{WORK}/labels.csv")
        expected = collections.Counter()

        expected["shop"] += connections(50)
        expected["refused"] += 3
        got = pairs()
        report(got == expected, "what happened before the first reader is counted in the labels attach was given",
               f"{got}", f"{expected}")

        made = killed_readers()
        expected["shop"] += made
        expected["refused"] += 6 * READERS
        got = pairs()
        report(got == expected, f"{READERS} readers killed, and none in between: each connection counted once",
               f"{got}", f"{expected}")

        # Another namespace for the same address, by a reader that is killed before it could say so at its end.
        write_labels("store", "10.90.0.4,unused,eu\n")
        child = reader("--labels", f"{WORK}/labels.csv", "--listen", f"{WORK}/metrics")
        wait_for(answers, "the reader")
        expected["store"] += connections(30)
        expected["refused"] += 3
        write_labels("cellar")
        wait_for(lambda: "prefixes read again" in open(f"{WORK}/reader").read(), "the labels to be read again")
        expected["cellar"] += connections(40)
        expected["refused"] += 3
        stop(child, signal.SIGKILL)
        expected["cellar"] += connections(10)
        expected["refused"] += 3
        got = pairs()
        report(got == expected, "labels that a reader brings hold when it is gone; what was counted stays there",
               f"{got}", f"{expected}")

        attach() # other programs in the place of these
        expected["cellar"] += connections(10)
        expected["refused"] += 3
        got = pairs()
        report(got == expected, "attaching again without labels goes on counting", f"{got}", f"{expected}")
    finally:
        for child in list(children):
            stop(child, signal.SIGKILL)
        run(*inside(SERVER, ACKMON, "detach", "--bpffs", BPFFS))
        for host in (SERVER, CLIENT):
            run("ip", "netns", "del", host)
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"1..{number}")
    sys.exit(1 if failed else 0)


main()
