#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections at the rate the machine can make them, over a veth: as many are counted as the server took.

usage: churn_test.py [ROUNDS [SECONDS]]   needs root, nginx and wrk; speaks TAP
wrk opens a connection for each request and nginx closes it; the server's kernel counts what it accepted
(TcpPassiveOpens), nginx what it was given. ackmon watches the server's end, and has to say the same number in its
metrics and by its records.
"""
import collections
import csv
import os
import re
import shutil
import signal
import sys

from lab import *

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
SERVER, CLIENT = "server", "client"
FIELDS = "outcome,opener_port,close,role,start_ns,end_ns"
# What a client's port comes from: few come round soon, in the server's TIME_WAIT and under the sweep.
WAYS = (("32768 60999",), ("20000 23999", "--closed-timeout", "0.3"), ("32768 60999", "-m", "native"),
        ("20000 21999", "-m", "skb"))

NGINX = f"""
daemon off;
worker_processes 2;
pid {WORK}/nginx.pid;
error_log {WORK}/nginx.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {WORK}/a; proxy_temp_path {WORK}/b; fastcgi_temp_path {WORK}/c;
  uwsgi_temp_path {WORK}/d; scgi_temp_path {WORK}/e;
  server {{
    listen 10.89.0.2:80 backlog=65535;
    keepalive_timeout 0;
    location / {{ return 200 "ok"; }}
    location /status {{ stub_status; }}
  }}
}}
"""


def build():
    for host in (SERVER, CLIENT):
        add_host(host)
        must(*inside(host, "sh", "-c", "echo 65535 >/proc/sys/net/core/somaxconn;"
                                       "echo 65535 >/proc/sys/net/ipv4/tcp_max_syn_backlog;"
                                       "echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save"))
    wire(CLIENT, SERVER, "10.89.0", "numtxqueues", 2, "numrxqueues", 2)
    for host in (SERVER, CLIENT):
        must(*inside(host, "sh", "-c", "for f in /sys/class/net/eth0/queues/rx-*/rps_cpus; do echo 3 >$f; done"))
    with open(path("nginx.conf"), "w") as file:
        file.write(NGINX)


def established_sockets():
    return must(*inside(SERVER, "ss", "-Htn", "state", "established", "state", "syn-recv", "sport = :80")).strip()


def accepted():
    """By nginx; the one that asks included."""
    answer = must(*inside(CLIENT, "curl", "-sS", "http://10.89.0.2/status"))
    return int(answer.splitlines()[2].split()[0])


def counted():
    values = collections.Counter()
    for line in ask("metrics").decode().splitlines():
        if line.startswith("ackmon_connections_total{"):
            values[line.split('outcome="')[1].split('"')[0]] += int(line.split()[-1])
    return values


def lost():
    """Records that the summary of the last one says a reader without its turn has lost, on a busy machine."""
    summary = said("ackmon").splitlines()[-1]
    told = re.search(r"([\d,]+) \(event the full ring buffer could not take\)", summary)
    return int(told[1].replace(",", "")) if told else 0


def one_round(ports, *options):
    flows = path("flows.csv")
    must(*inside(CLIENT, "sh", "-c", f"echo {ports} >/proc/sys/net/ipv4/ip_local_port_range"))
    wait_for(lambda: not established_sockets(), "the server to be idle")
    took, opens = accepted(), passive_opens(SERVER)
    wait_for(lambda: not established_sockets(), "the server to be idle")
    monitor = start("ackmon", *inside(SERVER, ACKMON, "-i", "eth0", "-n", "-o", "csv", "-w", flows, "-e", FIELDS,
                                      "--listen", path("metrics"), *options, "port", "80"))
    wait_for(lambda: ask("metrics", "/"), "ackmon to answer")
    result = run(*inside(CLIENT, "wrk", "-t", 2, "-c", 64, "-d", f"{SECONDS}s", "-H", "Connection: close",
                         "http://10.89.0.2/"))
    wait_for(lambda: not established_sockets(), "the last connections to end")
    took = accepted() - took
    opens = passive_opens(SERVER) - opens
    got = collections.Counter()

    def settled():
        nonlocal got
        got = counted()
        return got["established"] == opens
    becomes(settled, 5)
    stop(monitor, signal.SIGINT)
    with open(flows, newline="") as file:
        rows = list(csv.DictReader(file))
    os.unlink(flows)
    records = collections.Counter(row["outcome"] for row in rows)
    twice = [flow for flow, times in collections.Counter((row["opener_port"], row["start_ns"]) for row in rows).items()
             if times > 1]
    rate = [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("Requests/sec")]
    remarks = [f"kernel {opens}, nginx {took}, metrics {dict(+got)}, records {dict(records)}, twice {twice[:5]}"]
    remarks += [str(row) for row in rows if row["outcome"] != "established"][:20]
    remarks.append(said("ackmon"))
    way = f" ({' '.join(options)})" if options else ""
    report(got["established"] == opens == took == records["established"] + lost() and not twice,
           f"{opens} connections, {'/'.join(rate)} a second, are counted, each once{way}", *remarks)


def main():
    needs_root("churn")
    if not shutil.which("nginx") or not shutil.which("wrk"):
        skip("churn", "needs nginx and wrk")
        end()
    build()
    start("nginx", *inside(SERVER, "nginx", "-c", path("nginx.conf"), "-p", WORK))
    wait_for(lambda: run(*inside(CLIENT, "curl", "-sS", "http://10.89.0.2/")).returncode == 0, "nginx to answer")
    for i in range(ROUNDS):
        one_round(*WAYS[i % len(WAYS)])
    end()


main()
