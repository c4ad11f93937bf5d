# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of metrics share: TAP, namespaces, programs that are started and stopped, waiting for conditions."""
import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACKMON = os.environ.get("ACKMON", os.path.join(ROOT, "build", "ackmon"))
TRAFFIC = os.path.join(ROOT, "build", "tests", "traffic")
PREFIX = os.environ.get("NETNS_PREFIX", "ackmetrics-")
WORK = tempfile.mkdtemp(prefix="ackmon-metrics-")
number, failed, children, hosts = 0, 0, [], []


def report(ok, name, *remarks):
    global number, failed
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {name}", flush=True)
    if not ok or os.environ.get("V"):
        for remark in remarks:
            print("#", str(remark).replace("\n", "\n# "), flush=True)


def skip(name, why):
    global number
    number += 1
    print(f"ok {number} - {name} # SKIP {why}", flush=True)


def end():
    print(f"1..{number}")
    sys.exit(1 if failed else 0)


def needs_root(name):
    if os.geteuid():
        skip(name, "needs root")
        end()


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)


def must(*command):
    result = run(*command)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {result.stdout}{result.stderr}")
    return result.stdout


def inside(host, *command):
    """nsenter and not `ip netns exec`: the latter remounts /sys and hides bpffs."""
    return ("nsenter", f"--net=/run/netns/{PREFIX}{host}") + command


def wait_for(condition, what, seconds=30):
    stop_at = time.monotonic() + seconds
    while time.monotonic() < stop_at:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.03)
    raise SystemExit(f"waited {seconds} s for {what}")


def becomes(condition, seconds=10):
    """Where a test says itself what is wrong."""
    try:
        return wait_for(condition, "", seconds)
    except SystemExit:
        return condition()


def path(name):
    return os.path.join(WORK, name)


def start(name, *command):
    """Output goes to a file of that name."""
    with open(path(name), "a") as output:
        child = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
    children.append(child)
    return child


def stop(child, how=signal.SIGTERM):
    if child.poll() is None:
        child.send_signal(how)
    child.wait(timeout=60)
    children.remove(child)
    return child.returncode


def said(name):
    with open(path(name)) as file:
        return file.read()


def add_host(host):
    run("ip", "netns", "del", PREFIX + host)
    must("ip", "netns", "add", PREFIX + host)
    hosts.append(host)
    must("ip", "-n", PREFIX + host, "link", "set", "lo", "up")


def wire(one, other, net, *options):
    """eth0 of two hosts, NET.1 and NET.2."""
    must("ip", "-n", PREFIX + one, "link", "add", "eth0", *options, "type", "veth",
         "peer", "name", "eth0", "netns", PREFIX + other, *options)
    for host, last in ((one, 1), (other, 2)):
        must("ip", "-n", PREFIX + host, "addr", "add", f"{net}.{last}/24", "dev", "eth0")
        must("ip", "-n", PREFIX + host, "link", "set", "eth0", "up")


def passive_opens(host):
    lines = [line.split() for line in must(*inside(host, "cat", "/proc/net/snmp")).splitlines()
             if line.startswith("Tcp:")]
    return int(dict(zip(*lines))["PassiveOpens"])


def connections(client, server, address, count, *options):
    """Made by the one and taken by the other, as its kernel says."""
    before = passive_opens(server)
    service = start("service", *inside(server, TRAFFIC, "server", "--count", count, "--seconds", 60))
    wait_for(lambda: must(*inside(server, "ss", "-Hltn", "sport = :8080")), "the service")
    must(*inside(client, TRAFFIC, "client", address, "--count", count, "--parallel", 8, "--seconds", 50, *options))
    service.wait(timeout=90)
    children.remove(service)
    taken = passive_opens(server) - before
    if taken != count:
        raise SystemExit(f"{taken} connections, not {count}")
    return taken


def ask(socket, url="/metrics", accept="text/plain"):
    """Bytes, from a UNIX socket; empty: nobody answers."""
    return subprocess.run(["curl", "-sS", "-m", "30", "--unix-socket", path(socket), "-H", f"Accept: {accept}",
                           f"http://x{url}"], capture_output=True).stdout


@atexit.register
def clean_up():
    for child in list(children): # nginx ends its workers when it is asked, and only then
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for host in hosts:
        run("ip", "netns", "del", PREFIX + host)
    shutil.rmtree(WORK, ignore_errors=True)
