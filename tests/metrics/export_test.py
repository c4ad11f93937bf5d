#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One set of numbers, in every format: text, OpenMetrics, protobuf, OTLP, a file, csv and ndjson say the same.

usage: export_test.py      needs root; speaks TAP
Labels are as hostile as a file can make them; the collector answers, refuses, hangs and is gone.
"""
import csv
import json
import os
import re
import signal
import socket
import stat
import sys
import time

from lab import *
import protobuf

csv.field_size_limit(1 << 24)
HOSTILE = 'a"b\\c\nd,e;{}=\'\t\\n\\"\x7f \u00e9\u2028'
LONG = 'q"\\\n' * 2560  # 10 kB
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PAIR_COUNTERS = ["connections_total", "segments_total", "payload_bytes_total", "retransmitted_segments_total",
                 "lost_segments_total", "reordered_segments_total", "zero_window_seconds_total"]
HISTOGRAMS = ["connect_seconds", "handshake_seconds", "rtt_seconds", "response_seconds"]


def write_labels():
    with open(path("labels.csv"), "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["prefix", "namespace", "region"])
        rows.writerow(["10.91.0.1", HOSTILE, "us"])
        rows.writerow(["10.91.0.2", "shop", LONG])


def set_status(status):
    with open(path("status.new"), "w") as file:
        file.write(status)
    os.rename(path("status.new"), path("status"))


def start_receiver():
    set_status("200")
    child = start("receiver", *inside("xserver", sys.executable, os.path.join(ROOT, "tests/metrics/receiver.py"), 4318, WORK))
    wait_for(lambda: "ready" in said("receiver"), "the receiver")
    return child


def pushes(result):
    """By what became of them, in the metrics themselves."""
    found = re.search(rf'^ackmon_exports_total{{to="otlp",result="{result}"}} (\S+)$', ask("metrics").decode(), re.M)
    return float(found.group(1)) if found else -1


def last_push():
    with open(path("request"), "rb") as file:
        return protobuf.otlp(file.read())


def has_labels(labels):
    named = dict(labels)
    return named.get("opener_namespace") == HOSTILE and named.get("responder_region") == LONG


def stable(families):
    """Of pairs: what no longer changes when all is silent."""
    return {f"ackmon_{name}": families[f"ackmon_{name}"] for name in PAIR_COUNTERS + HISTOGRAMS}


def as_text(histogram):
    """What text says of it: a bucket for each power of two."""
    edges = {str(2.0 ** k): histogram["zero"] + sum(count for edge, count in histogram["buckets"].items() if edge <= 32 * k)
             for k in range(-16, 6)}
    return edges | {"inf": histogram["count"]}


def check_text(name, families, native):
    wrong = []
    for counter in PAIR_COUNTERS:
        if families.get(f"ackmon_{counter}") != native[f"ackmon_{counter}"]:
            wrong.append(counter)
    for family in HISTOGRAMS:
        for labels, histogram in native[f"ackmon_{family}"].items():
            got = {str(float(dict(more)["le"])): value for more, value in families[f"ackmon_{family}_bucket"].items()
                   if frozenset(pair for pair in more if pair[0] != "le") == labels}
            if got != as_text(histogram) or families[f"ackmon_{family}_count"][labels] != histogram["count"] or \
                    families[f"ackmon_{family}_sum"][labels] != histogram["sum"]:
                wrong.append((family, got))
    report(not wrong, f"{name} says what protobuf says, bucket by bucket", wrong)
    report(any(has_labels(labels) for labels in families["ackmon_segments_total"]),
           f"{name}: quotes, backslashes, line ends and 10 kB come back as they were")


def check_pairs(rows, name, native):
    row = [row for row in rows if row["opener_namespace"] == HOSTILE]
    total = {family: sum(native[f"ackmon_{family}"].values()) for family in ("segments_total", "payload_bytes_total")}
    report(len(row) == 1 and row[0]["responder_region"] == LONG and int(row[0]["segments"]) == total["segments_total"]
           and int(row[0]["payload_bytes"]) == total["payload_bytes_total"],
           f"{name}: the same labels, the same numbers", str(rows)[:300], total)


HISTOGRAM_KEYS = {"connect_histogram": ("connect_seconds", None), "response_histogram": ("response_seconds", None),
                  "opener_handshake_histogram": ("handshake_seconds", "opener"),
                  "responder_handshake_histogram": ("handshake_seconds", "responder"),
                  "opener_rtt_histogram": ("rtt_seconds", "opener"), "responder_rtt_histogram": ("rtt_seconds", "responder")}


def check_buckets(rows, native):
    row, wrong = [row for row in rows if row["opener_namespace"] == HOSTILE][0], []
    for key, (family, leg) in HISTOGRAM_KEYS.items():
        scraped = [histogram for labels, histogram in native[f"ackmon_{family}"].items()
                   if dict(labels).get("leg") == leg and has_labels(labels)][0]
        own = row[key]
        if {k: count for k, count in own["buckets"]} != scraped["buckets"] or own["zero"] != scraped["zero"] or \
                abs(own["sum_ns"] / 1e9 - scraped["sum"]) > 1e-9:
            wrong.append((key, own, scraped))
    report(not wrong, "ndjson has the buckets that are scraped", wrong)


def check_csv(native):
    """Of the other end, which may have seen a segment more, by its own scrape."""
    with open(path("pairs.csv"), newline="") as file:
        table = file.read()
    rows = list(csv.DictReader(table.splitlines(True)))
    check_pairs(rows, "csv", native)


def under_way(host):
    """Connections that may still send something by themselves: a FIN, or one again."""
    return must(*inside(host, "ss", "-Htn", "state", "connected", "exclude", "time-wait",
                        "( sport = :8080 or dport = :8080 )")).strip()


def file_says(native):
    with open(path("node.prom"), "rb") as file:
        families = protobuf.text(file.read())
    return all(families.get(f"ackmon_{name}") == native[f"ackmon_{name}"] for name in PAIR_COUNTERS)


def check_file():
    mode = os.stat(path("node.prom"))
    report(stat.S_IMODE(mode.st_mode) == 0o644, "the file is everybody's to read, whatever the umask", oct(mode.st_mode))


def monitor_command():
    return inside("xserver", ACKMON, "-i", "eth0", "-n", "-o", "pairs,ndjson", "-w", path("pairs.ndjson"), "--labels",
                  path("labels.csv"), "--listen", path("metrics"), "--textfile", path("node.prom"), "--otlp",
                  "http://127.0.0.1:4318/v1/metrics", "--export-interval", "0.3")


def check_collector(receiver):
    before = pushes("failed")
    set_status("503")
    report(becomes(lambda: pushes("failed") > before), "pushes that the collector refuses are counted", before)
    set_status("hang")
    began = time.monotonic()
    answers = [len(ask("metrics")) for _ in range(20)]
    took = time.monotonic() - began
    report(min(answers) > 1000 and took < 10, "a collector that never answers holds nobody up", f"20 scrapes in {took:.2f} s")
    stop(receiver, signal.SIGKILL)
    before = pushes("failed")
    report(becomes(lambda: pushes("failed") > before), "pushes to a dead collector are counted", pushes("failed"))
    before = pushes("ok")
    receiver = start_receiver()
    report(becomes(lambda: pushes("ok") > before), "when it is there again, it gets everything again")
    return receiver


def status(*options, url="/metrics"):
    return run("curl", "-s", "-m", 2, "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", path("metrics"), *options,
               f"http://x{url}").stdout


def check_http():
    """Who asks for something else, or for too much, is told so; who only holds connections keeps others out no longer."""
    got = {method: status("-X", method) for method in ("GET", "POST", "PUT", "DELETE")} | {"HEAD": status("-I")}
    report(got == {"GET": "200", "HEAD": "200", "POST": "405", "PUT": "405", "DELETE": "405"}, "GET and HEAD, nothing else", got)
    got = status("-H", "X: " + 40000 * "a"), status(url="/other")
    report(got == ("431", "404"), "headers beyond 32 kB are refused, and there is no other page", got)
    held = []
    for _ in range(33):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(path("metrics"))
    report(becomes(lambda: status() == "000"), "beyond 32 connections nobody is answered")
    for one in held:
        one.close()
    report(becomes(lambda: status() == "200"), "and then again")


def main():
    needs_root("export")
    for host in ("xserver", "xclient"):
        add_host(host)
    wire("xclient", "xserver", "10.91.0")
    write_labels()
    receiver = start_receiver()
    os.umask(0o077)
    other = start("other", *inside("xclient", ACKMON, "-i", "eth0", "-n", "-o", "pairs,csv", "-w", path("pairs.csv"),
                                   "--labels", path("labels.csv"), "--listen", path("others")))
    monitor = start("ackmon", *monitor_command())
    wait_for(lambda: ask("others", "/"), "the other ackmon to answer")
    wait_for(lambda: ask("metrics", "/"), "ackmon to answer")
    # Its own connection to the collector is one that this host's kernel takes: not while others are counted.
    wait_for(lambda: pushes("ok") > 0, "the first push")
    made = connections("xclient", "xserver", "10.91.0.2", 60, "--rounds", 3, "--response", 20000)

    def counted():
        values = protobuf.prometheus(ask("metrics", accept=PROTOBUF))["ackmon_connections_total"]
        return sum(value for labels, value in values.items() if ("outcome", "established") in labels) == made
    report(becomes(counted), f"{made} connections are counted")
    wait_for(lambda: not under_way("xclient") and not under_way("xserver"), "the last segments")
    native = stable(protobuf.prometheus(ask("metrics", accept=PROTOBUF)))
    check_text("text", protobuf.text(ask("metrics")), native)
    check_text("OpenMetrics", protobuf.text(ask("metrics", accept=OPENMETRICS)), native)
    report(any(has_labels(labels) for labels in native["ackmon_segments_total"]), "protobuf: labels come back as they were")
    report(becomes(lambda: stable(last_push()) == native), "what is pushed by OTLP is what is scraped, scale 5 and schema 5")
    report(becomes(lambda: file_says(native)), "the file for node_exporter says the same")
    check_file()
    check_http()
    receiver = check_collector(receiver)
    stop(monitor, signal.SIGINT)
    with open(path("pairs.ndjson")) as file:
        rows = [row for row in map(json.loads, file) if "connections" in row]
    check_pairs(rows, "ndjson", native)
    check_buckets(rows, native)
    theirs = stable(protobuf.prometheus(ask("others", accept=PROTOBUF)))
    stop(other, signal.SIGINT)
    check_csv(theirs)
    stop(receiver, signal.SIGKILL)
    end()


main()
