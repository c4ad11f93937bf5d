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
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.path.join(ROOT, "build", "ackmon")
PREFIX = os.environ.get("NETNS_PREFIX", "ackmetrics-")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
SERVER, CLIENT = PREFIX + "server", PREFIX + "client"
WORK = tempfile.mkdtemp(prefix="ackmon-churn-")
FIELDS = "outcome,opener_port,close,role,start_ns,end_ns"
# What a client's port comes from: few come round soon, in the server's TIME_WAIT and under the sweep.
WAYS = (("32768 60999",), ("20000 23999", "--closed-timeout", "0.3"), ("32768 60999", "-m", "native"),
        ("20000 21999", "-m", "skb"))
number, failed, children = 0, 0, []

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
        raise SystemExit(f"{' '.join(map(str, command))}: {result.stderr}")
    return result.stdout


def inside(host, *command):
    return ("nsenter", f"--net=/run/netns/{host}") + command


def start(name, *command):
    output = open(os.path.join(WORK, name), "w")
    child = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
    children.append(child)
    return child


def stop(child, how=signal.SIGTERM):
    if child.poll() is None:
        child.send_signal(how)
    child.wait(timeout=60)
    children.remove(child)


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise SystemExit(f"waited {seconds} s for {what}")


def build():
    for host in (SERVER, CLIENT):
        run("ip", "netns", "del", host)
        must("ip", "netns", "add", host)
        must("ip", "-n", host, "link", "set", "lo", "up")
        must(*inside(host, "sh", "-c", "echo 65535 >/proc/sys/net/core/somaxconn;"
                                       "echo 65535 >/proc/sys/net/ipv4/tcp_max_syn_backlog;"
                                       "echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save"))
    must("ip", "-n", SERVER, "link", "add", "eth0", "numtxqueues", 2, "numrxqueues", 2, "type", "veth",
         "peer", "name", "eth0", "netns", CLIENT, "numtxqueues", 2, "numrxqueues", 2)
    for i, host in enumerate((CLIENT, SERVER)):
        must("ip", "-n", host, "addr", "add", f"10.89.0.{i + 1}/24", "dev", "eth0")
        must("ip", "-n", host, "link", "set", "eth0", "up")
        must(*inside(host, "sh", "-c", "for f in /sys/class/net/eth0/queues/rx-*/rps_cpus; do echo 3 >$f; done"))
    with open(os.path.join(WORK, "nginx.conf"), "w") as file:
        file.write(NGINX)


def passive_opens():
    lines = [line.split() for line in must(*inside(SERVER, "cat", "/proc/net/snmp")).splitlines()
             if line.startswith("Tcp:")]
    return int(dict(zip(*lines))["PassiveOpens"])


def established_sockets():
    return must(*inside(SERVER, "ss", "-Htn", "state", "established", "state", "syn-recv", "sport = :80")).strip()


def accepted():
    """By nginx; the one that asks included."""
    answer = must(*inside(CLIENT, "curl", "-sS", "http://10.89.0.2/status"))
    return int(answer.splitlines()[2].split()[0])


def counted():
    text = run("curl", "-sS", "-m", 10, "--unix-socket", f"{WORK}/metrics", "http://x/metrics").stdout
    values = collections.Counter()
    for line in text.splitlines():
        if line.startswith("ackmon_connections_total{"):
            values[line.split('outcome="')[1].split('"')[0]] += int(line.split()[-1])
    return values


def one_round(ports, *options):
    flows = os.path.join(WORK, "flows.csv")
    must(*inside(CLIENT, "sh", "-c", f"echo {ports} >/proc/sys/net/ipv4/ip_local_port_range"))
    wait_for(lambda: not established_sockets(), "the server to be idle")
    took, opens = accepted(), passive_opens()
    wait_for(lambda: not established_sockets(), "the server to be idle")
    monitor = start("ackmon", *inside(SERVER, ACKMON, "-i", "eth0", "-n", "-o", "csv", "-w", flows, "-e", FIELDS,
                                      "--listen", f"{WORK}/metrics", *options, "port", "80"))
    wait_for(lambda: run("curl", "-sS", "--unix-socket", f"{WORK}/metrics", "http://x/").returncode == 0,
             "ackmon to answer")
    result = run(*inside(CLIENT, "wrk", "-t", 2, "-c", 64, "-d", f"{SECONDS}s", "-H", "Connection: close",
                         "http://10.89.0.2/"))
    wait_for(lambda: not established_sockets(), "the last connections to end")
    took = accepted() - took
    opens = passive_opens() - opens
    got = collections.Counter()

    def settled():
        nonlocal got
        got = counted()
        return got["established"] == opens
    try:
        wait_for(settled, "the counts", 5)
    except SystemExit:
        pass
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
    remarks += open(os.path.join(WORK, "ackmon")).read().splitlines()
    way = f" ({' '.join(options)})" if options else ""
    report(got["established"] == opens == took == records["established"] and not twice,
           f"{opens} connections, {'/'.join(rate)} a second, are counted, each once{way}", *remarks)


def main():
    if os.geteuid() or not shutil.which("nginx") or not shutil.which("wrk"):
        print("ok 1 - churn # SKIP needs root, nginx and wrk")
        print("1..1")
        return
    try:
        build()
        start("nginx", *inside(SERVER, "nginx", "-c", f"{WORK}/nginx.conf", "-p", WORK))
        wait_for(lambda: run(*inside(CLIENT, "curl", "-sS", "http://10.89.0.2/")).returncode == 0, "nginx to answer")
        for i in range(ROUNDS):
            one_round(*WAYS[i % len(WAYS)])
    finally:
        for child in list(children):
            stop(child)
        for host in (SERVER, CLIENT):
            run("ip", "netns", "del", host)
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"1..{number}")
    sys.exit(1 if failed else 0)


main()
