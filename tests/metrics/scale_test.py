#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""100,000 prefixes and 10,000 pairs of labels: what a scrape or a push takes, and how long the reader is kept from its work.

usage: scale_test.py [PAIRS [PREFIXES]]      needs root; speaks TAP
Frames of one connection for each pair are put on a veth; each of its ends has a namespace of its own.
"""
import atexit
import os
import re
import signal
import sys
import time

from lab import *
import inject

HOST, NEAR = "scale", f"{PREFIX[:8]}sc0"
PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
PREFIXES = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
SIDE = int(PAIRS ** 0.5)
FORMATS = {"text": "text/plain", "OpenMetrics": "application/openmetrics-text; version=1.0.0",
           "protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}


def write_labels():
    """A group for each address of both sides, and prefixes that nobody comes from."""
    with open(f"{WORK}/labels.csv", "w") as file:
        file.write("prefix,namespace,region\n")
        for i in range(SIDE):
            file.write(f"10.1.{i // 256}.{i % 256},client{i},eu\n10.2.{i // 256}.{i % 256},service{i},us\n")
        for i in range(PREFIXES - 2 * SIDE):
            file.write(f"10.{128 + (i >> 16)}.{i >> 8 & 255}.{i & 255},other{i % 1000},asia\n")


def frames_of_pairs():
    for i in range(SIDE):
        for j in range(SIDE):
            yield from inject.connection(f"10.1.{i // 256}.{i % 256}", f"10.2.{j // 256}.{j % 256}", 1024 + i, 80)


def scrape(accept):
    """Bytes, status, and seconds as curl has them."""
    words = must("curl", "-sS", "-m", 30, "--unix-socket", f"{WORK}/metrics", "-H", f"Accept: {accept}", "-o",
                 f"{WORK}/body", "-w", "%{http_code} %{size_download} %{time_total}", "http://x/metrics").split()
    return int(words[0]), int(words[1]), float(words[2])


def cpu_seconds(pid):
    """The machine may be busy with other things; what a scrape takes it takes of this."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed_scrape(pid, accept):
    before = cpu_seconds(pid)
    status, size, wall = scrape(accept)
    return status, size, wall, cpu_seconds(pid) - before


def start_collector():
    with open(path("status"), "w") as file:
        file.write("200")
    start("receiver", *inside(HOST, sys.executable, os.path.join(ROOT, "tests/metrics/receiver.py"), 4318, WORK))
    wait_for(lambda: "ready" in said("receiver"), "the collector")


def pushed():
    """When the last push came, and its length."""
    try:
        answer = os.stat(path("request"))
    except FileNotFoundError:
        return 0, 0
    return answer.st_mtime_ns, answer.st_size


def cpu_of_a_push(pid):
    """From one push to the next, all that goes on meanwhile included; and its length."""
    first = pushed()[0]
    wait_for(lambda: pushed()[0] != first, "a push", 60)
    begun, before = pushed()[0], cpu_seconds(pid)
    wait_for(lambda: pushed()[0] != begun, "the next push", 60)
    return cpu_seconds(pid) - before, pushed()[1]


def value(name):
    found = re.search(rf"^{name} (\S+)$", open(f"{WORK}/body").read(), re.M)
    return float(found.group(1)) if found else None


def watch_pairs(*options):
    """Who watches, when all pairs are there; and seconds until the labels were loaded, how many pairs."""
    began = time.monotonic()
    monitor = start("errors", *inside(HOST, ACKMON, "-i", "eth0", "-n", "-o", "csv", "-w", path("flows.csv"), "--labels",
                                      path("labels.csv"), "--max-series", PAIRS + 10, "--listen", path("metrics"),
                                      *options))
    wait_for(lambda: ask("metrics", "/") or monitor.poll() is not None, "ackmon to answer", 60)
    loaded, expected = time.monotonic() - began, SIDE * SIDE
    inject.Wire(NEAR).put(list(frames_of_pairs()))
    wait_for(lambda: scrape("text/plain")[0] == 200 and value("ackmon_series") == expected, "all pairs", 120)
    return monitor, loaded, expected


def main():
    needs_root("scale")
    add_host(HOST)
    must("ip", "link", "add", NEAR, "type", "veth", "peer", "name", "eth0", "netns", PREFIX + HOST)
    must("ip", "link", "set", NEAR, "up")
    must(*inside(HOST, "ip", "link", "set", "eth0", "up"))
    write_labels()
    monitor, loaded, expected = watch_pairs()
    report(monitor.poll() is None, f"{PREFIXES} prefixes are loaded", f"{loaded:.2f} s", said("errors"))
    with open(f"{WORK}/body") as body:
        established = sum(int(line.split()[-1]) for line in body
                          if line.startswith("ackmon_connections_total{") and 'outcome="established"' in line)
    report(established == expected, f"{expected} pairs have a connection each", established)
    for name, accept in FORMATS.items():
        best = min((timed_scrape(monitor.pid, accept) for _ in range(3)), key=lambda answer: answer[3])
        report(best[0] == 200 and best[3] < 1, f"a scrape of {expected} pairs as {name} takes less than 1 s",
               f"{best[1] / 1e6:.1f} MB in {best[2]:.3f} s, {best[3]:.2f} s of CPU")
    scrape("text/plain")
    longest = value("ackmon_longest_turn_seconds")
    report(longest is not None and longest < 0.5, "meanwhile the reader is never away from its work for long",
           f"{longest} s at most")
    stop(monitor, signal.SIGINT)
    start_collector()
    monitor, _, expected = watch_pairs("--otlp", "http://127.0.0.1:4318/v1/metrics", "--export-interval", 2)
    cpu, size = min(cpu_of_a_push(monitor.pid) for _ in range(3))
    report(cpu < 1, f"a push of {expected} pairs by OTLP takes less than 1 s", f"{size / 1e6:.1f} MB, {cpu:.2f} s of CPU")
    stop(monitor, signal.SIGINT)
    end()


@atexit.register
def take_down():
    run("ip", "link", "del", NEAR)


main()
