#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections count in the namespace of the cgroup whose sockets they are, from their first one on.

usage: owners_test.py      needs root and a cgroup2 file system; speaks TAP
Services run in cgroups of the test's own, named as systemd names them; each end is watched where it is.
"""
import atexit
import collections
import csv
import errno
import glob
import json
import re
import signal
import socket
import sys
import uuid

from lab import *

SERVER, CLIENT = "server", "client"
ADDRESS = "10.94.0.2"
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
CGROUPS = []


def cgroup_tree():
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            if " - cgroup2 " in line:
                return line.split()[4]


def make_cgroup(name):
    """Below a slice of this test alone, which a namespace is not named after."""
    whole = os.path.join(TREE, SLICE, name)
    os.makedirs(whole)
    CGROUPS.append(whole)
    return whole


def make_path(path):
    """Where a runtime would have it; only what was not there before is ours, and goes."""
    whole = TREE
    for part in path.strip("/").split("/"):
        whole = os.path.join(whole, part)
        if not os.path.isdir(whole):
            os.mkdir(whole)
            CGROUPS.append(whole)
    return whole


def within(cgroup, *command):
    return ("sh", "-c", f'echo 0 >{cgroup}/cgroup.procs && exec "$@"', "sh") + command


def talk(server_cgroup, client_cgroup, count, *options):
    """As many as the server's kernel says that it took."""
    before = passive_opens(SERVER)
    service = start("service", *within(server_cgroup, *inside(SERVER, TRAFFIC, "server", "--count", count, "--seconds", 60)))
    wait_for(lambda: must(*inside(SERVER, "ss", "-Hltn", "sport = :8080")), "the service")
    must(*within(client_cgroup, *inside(CLIENT, TRAFFIC, "client", ADDRESS, "--count", count, "--seconds", 50, *options)))
    service.wait(timeout=90)
    children.remove(service)
    return passive_opens(SERVER) - before


def series(listener, name):
    """By the ends' namespaces, and by those and the responder's region."""
    found = collections.Counter()
    for line in ask(listener).decode().splitlines():
        if line.startswith(name + "{"):
            labels = dict(LABEL.findall(line))
            found[labels["opener_namespace"], labels["responder_namespace"], labels["responder_region"],
                  labels.get("outcome")] += int(float(line.split()[-1]))
    return +found


def missed(listener):
    return {reason: float(value) for reason, value in
            re.findall(r'^ackmon_owners_missed_total\{reason="(\w+)"\} (\S+)$', ask(listener).decode(), re.M)}


def ackmon(host, listener, *options):
    child = start("ackmon", *inside(host, ACKMON, "-i", "eth0", "-n", "-o", "csv", "-w", path(listener + ".csv"), "--listen",
                                    path(listener), *options))
    wait_for(lambda: ask(listener, "/") or child.poll() is not None, "ackmon to answer")
    if child.poll() is not None:
        raise SystemExit(said("ackmon"))
    return child


def write_labels(namespace):
    with open(path("labels.new"), "w") as file:
        file.write(f"prefix,namespace,region\n10.94.0.0/24,{namespace},eu\n")
    os.rename(path("labels.new"), path("labels.csv"))


def of(shown, *labels):
    return shown == {labels: shown.total()} and shown.total()


def check_both_ends():
    """One ackmon at each end: of the other end neither knows more than its address."""
    shop, cart = make_cgroup("shop.service"), make_cgroup("cart.service")
    far, near = ackmon(SERVER, "far"), ackmon(CLIENT, "near", "--closed-timeout", "0.3")
    made = talk(shop, cart, 40)
    far_shown, near_shown = {}, {}

    def counted():
        nonlocal far_shown, near_shown
        far_shown, near_shown = series("far", "ackmon_connections_total"), series("near", "ackmon_connections_total")
        return far_shown == {("unknown", "shop.service", "unknown", "established"): made} and \
            near_shown == {("cart.service", "unknown", "unknown", "established"): made}
    report(becomes(counted), f"{made} connections count in the namespace of who answers, and of who asks",
           far_shown, near_shown)
    connects = series("far", "ackmon_connect_seconds_count")
    report(connects == {("unknown", "shop.service", "unknown", None): made},
           "so do the samples of their openings", connects)
    run(*within(cart, *inside(CLIENT, TRAFFIC, "client", ADDRESS, "--port", 9)))
    report(becomes(lambda: series("near", "ackmon_connections_total")
                   [("cart.service", "unknown", "unknown", "refused")] == 1),
           "who asks and is refused is known, too", series("near", "ackmon_connections_total"))
    stop(near, signal.SIGINT)
    check_a_new_cgroup(far, cart)
    report(missed("far") == {"unknown": 0, "late": 0}, "no end was counted without its namespace", missed("far"))
    stop(far, signal.SIGINT)
    with open(path("far.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["responder_namespace"] == "shop.service"]
    report(len(rows) == made, "records have the namespace, too", len(rows))


def owners_map(child):
    """The number of the map of that name which the process has open."""
    for fd in glob.glob(f"/proc/{child.pid}/fdinfo/*"):
        with open(fd) as info:
            number = re.search(r"^map_id:\s*(\d+)$", info.read(), re.M)
        if number and json.loads(must("bpftool", "-j", "map", "show", "id", number[1])).get("name") == "owners":
            return number[1]


def is_told(owners, cgroup):
    """The kernel side knows whose this cgroup is, by the low half of its inode's number."""
    key = (os.stat(cgroup).st_ino & 0xffffffff).to_bytes(4, sys.byteorder)
    return not run("bpftool", "map", "lookup", "id", owners, "key", *key).returncode


def check_a_new_cgroup(far, cart):
    """A service that is started meanwhile. That its cgroup is there is told at once: nobody waits for the next walk,
    which is two seconds behind the last one, and that was when the cgroup before was told."""
    owners, waited, names = owners_map(far), [], [f"new{i}.service" for i in range(4)]
    for name in names:
        service, begin = make_cgroup(name), time.monotonic()
        wait_for(lambda: is_told(owners, service), "the kernel side to be told of a cgroup")
        waited.append(time.monotonic() - begin)
        talk(service, cart, 1)
    want = {("unknown", name, "unknown", "established"): 1 for name in names}
    found = {}

    def counted():
        nonlocal found
        found = {labels: count for labels, count in series("far", "ackmon_connections_total").items()
                 if labels[1] in names + ["unknown"] and labels[3] == "established"}
        return found == want
    report(becomes(counted), "services that start meanwhile are known with their first connection", found)
    report(min(waited[1:]) < 1, "... for a new cgroup is told as it comes", waited)


def check_labels():
    """What the file says of an address stands; what it leaves open the cgroup says."""
    shop, cart = make_cgroup("shop2.service"), make_cgroup("cart2.service")
    write_labels("")
    far = ackmon(SERVER, "labelled", "--labels", path("labels.csv"), "-m", "native")
    first = talk(shop, cart, 10)
    want = {("unknown", "shop2.service", "eu", "established"): first}
    report(becomes(lambda: series("labelled", "ackmon_connections_total") == want),
           "the region is the address's, the namespace its cgroup's (native XDP)", series("labelled", "ackmon_connections_total"))
    write_labels("infra")
    wait_for(lambda: "1 prefixes read again" in said("ackmon"), "the labels to be read again")
    second = talk(shop, cart, 10)
    want["infra", "infra", "eu", "established"] = second
    report(becomes(lambda: series("labelled", "ackmon_connections_total") == want),
           "a namespace in the file goes before; what was counted stays", series("labelled", "ackmon_connections_total"))
    write_labels("")
    wait_for(lambda: said("ackmon").count("1 prefixes read again") >= 2, "the labels to be read again")
    third = talk(shop, cart, 10)
    want["unknown", "shop2.service", "eu", "established"] += third
    report(becomes(lambda: series("labelled", "ackmon_connections_total") == want),
           "and when it goes the cgroup's counts on", series("labelled", "ackmon_connections_total"))
    stop(far, signal.SIGINT)


def check_midstream():
    """Opened before anybody watched: counted by the address when it shows itself, then in its namespace."""
    shop = make_cgroup("old.service")
    server = start("old", *within(shop, *inside(SERVER, sys.executable, "-c", ECHO)))
    wait_for(lambda: "ready" in said("old"), "the old service")
    client = start("asks", *inside(CLIENT, sys.executable, "-c", ASKS, path("go")))
    wait_for(lambda: "connected" in said("asks"), "a connection")
    far = ackmon(SERVER, "midstream")
    open(path("go"), "w").close()
    wait_for(lambda: client.poll() is not None, "the questions")
    children.remove(client)
    stop(server)
    bytes_by = {}

    def moved():
        nonlocal bytes_by
        bytes_by = {labels[0]: (labels[1], value) for labels, value in series("midstream", "ackmon_payload_bytes_total").items()}
        shown = series("midstream", "ackmon_payload_bytes_total")
        return shown.total() == 200 * 2 * 100 and sum(value for labels, value in shown.items()
                                                      if "old.service" in labels[:2]) > 0.95 * shown.total()
    report(becomes(moved), "a connection older than the watch goes on in its namespace, each byte counted once",
           series("midstream", "ackmon_payload_bytes_total"), missed("midstream"))
    stop(far, signal.SIGINT)


def shapes():
    """Paths as systemd and the runtimes make them, with whom they stand for: name and namespace."""
    digits = iter([os.urandom(32).hex() for _ in range(9)])
    pids = os.getpid()

    def container(path, runtime):
        own = next(digits)
        return path.replace("DIGITS", own), f"{runtime}:{own[:12]}", runtime

    def pod(path, uid):
        own = next(digits)
        return path.replace("DIGITS", own).replace("UID", uid).replace("U_I_D", uid.replace("-", "_")), \
            f"pod:{uid}/{own[:12]}", "kubepods"
    uids = [str(uuid.uuid4()) for _ in range(4)]
    pods = "/kubepods.slice/kubepods-{0}.slice/kubepods-{0}-podU_I_D.slice/"
    return {
        "a unit": (f"/system.slice/ackmon{pids}.service",) + (f"ackmon{pids}.service",) * 2,
        "a unit of a template": (f"/system.slice/system-ackmon{pids}.slice/ackmon@{pids}.service",) +
                                (f"ackmon@{pids}.service",) * 2,
        "a session": (f"/user.slice/user-{pids}.slice/session-7.scope", "session-7.scope", f"user-{pids}.slice"),
        "Docker, cgroupfs": container("/docker/DIGITS", "docker"),
        "Docker, systemd": container("/system.slice/docker-DIGITS.scope", "docker"),
        "Podman": container("/machine.slice/libpod-DIGITS.scope/container", "libpod"),
        "containerd, cgroupfs": pod("/kubepods/burstable/podUID/DIGITS", uids[0]),
        "containerd, systemd": pod(pods.format("burstable") + "cri-containerd-DIGITS.scope", uids[1]),
        "CRI-O, cgroupfs": pod("/kubepods/besteffort/podUID/crio-DIGITS", uids[2]),
        "CRI-O, systemd": pod(pods.format("besteffort") + "crio-DIGITS.scope/container", uids[3]),
        "a static pod": pod("/kubepods.slice/kubepods-podUID.slice/cri-containerd-DIGITS.scope", os.urandom(16).hex()),
    }


def check_shapes():
    """Each of them answers, and asks; its path, its name and its namespace are in the record of either."""
    wanted = shapes()
    there = start("there", *inside(CLIENT, TRAFFIC, "server", "--count", len(wanted), "--seconds", 60))
    begun = [start(f"shape{port}", *within(make_path(path), *inside(SERVER, TRAFFIC, "server", "--port", port, "--count", 1,
                                                                    "--seconds", 60)))
             for port, (path, *_) in enumerate(wanted.values(), 9000)]
    wait_for(lambda: must(*inside(SERVER, "ss", "-Hltn")).count(":90") == len(wanted), "a service in each cgroup")
    wait_for(lambda: must(*inside(CLIENT, "ss", "-Hltn", "sport = :8080")), "a service for them")
    far = start("shapes", *inside(SERVER, ACKMON, "-i", "eth0", "-n", "-j", "-w", path("shapes.json"), "--listen", path("shapes_at")))
    wait_for(lambda: ask("shapes_at", "/"), "ackmon to answer")
    for port, (where, *_) in enumerate(wanted.values(), 9000):
        must(*inside(CLIENT, TRAFFIC, "client", ADDRESS, "--port", port, "--count", 1))
        must(*within(TREE + where, *inside(SERVER, TRAFFIC, "client", "10.94.0.1", "--count", 1)))
    for child in begun + [there]:
        child.wait(timeout=60)
        children.remove(child)
    namespaces = collections.Counter()
    for *_, namespace in wanted.values():
        namespaces["unknown", namespace, "unknown", "established"] += 1
        namespaces[namespace, "unknown", "unknown", "established"] += 1
    report(becomes(lambda: series("shapes_at", "ackmon_connections_total") == namespaces),
           "metrics have them in the namespaces of unit, slice, runtime and pods", series("shapes_at", "ackmon_connections_total"))
    stop(far, signal.SIGINT)
    with open(path("shapes.json")) as file:
        rows = [json.loads(line) for line in file]
    for port, (shape, want) in enumerate(wanted.items(), 9000):
        said_of = [tuple(row.get(end + field) for field in ("_cgroup", "_name", "_namespace"))
                   for end, row in [("responder", row) for row in rows if row["responder_port"] == port] +
                   [("opener", row) for row in rows if row.get("opener_cgroup") == want[0]]]
        report(said_of == [want, want], f"{shape} is named, answering and asking", want, said_of)


def check_other():
    """Without room for its own series a connection counts in "other": once, however often its labels are looked up."""
    write_labels("")
    far = ackmon(SERVER, "small", "--labels", path("labels.csv"), "--max-series", 1)
    talk(make_cgroup("first.service"), make_cgroup("first-client.service"), 1)
    wait_for(lambda: series("small", "ackmon_connections_total").total() == 1, "the series there is room for")
    second = make_cgroup("second.service")
    many = start("many", *within(second, *inside(SERVER, TRAFFIC, "server", "--port", 8082, "--count", 20, "--seconds", 300)))
    wait_for(lambda: must(*inside(SERVER, "ss", "-Hltn", "sport = :8082")), "the second service")
    lasting = start("lasting", *inside(CLIENT, TRAFFIC, "client", ADDRESS, "--port", 8082, "--count", 20, "--parallel", 20,
                                       "--rounds", 100000, "--pause", 50, "--seconds", 300))

    def in_other(name):
        return sum(value for labels, value in series("small", name).items() if labels[0] == "other")
    wait_for(lambda: in_other("ackmon_connections_total") == 20, "all of them to be open")
    for _ in range(3):
        read = said("ackmon").count("1 prefixes read again")
        write_labels("")
        wait_for(lambda: said("ackmon").count("1 prefixes read again") > read, "the labels to be read again")
        before = in_other("ackmon_segments_total")
        wait_for(lambda: in_other("ackmon_segments_total") >= before + 400, "segments of all of them")
    stop(lasting)
    stop(many)
    told, samples = {}, 0

    def are_told():
        """Frames of the last moment are on their way still, and a scrape reads one number after the other."""
        nonlocal told, samples
        text = ask("small").decode()
        told = {what: float(value) for what, value in re.findall(r'^ackmon_series_other_total\{what="(\w+)"\} (\S+)$', text, re.M)}
        samples = sum(float(line.split()[-1]) for line in text.splitlines()
                      if re.match(r"ackmon_(connect|handshake|rtt|response)_seconds_count", line) and 'opener_namespace="other"' in line)
        return told["connections"] == 20 and told["samples"] == samples > 0
    report(becomes(are_told), f"20 connections, looked up four times, are 20 in \"other\", with {samples:.0f} samples", told, samples)
    stop(far, signal.SIGINT)


ECHO = f"""
import socket
listener = socket.create_server(("{ADDRESS}", 8081))
print("ready", flush=True)
peer, _ = listener.accept()
while data := peer.recv(100, socket.MSG_WAITALL):
    peer.sendall(data)
"""
ASKS = f"""
import os, socket, sys, time
peer = socket.create_connection(("{ADDRESS}", 8081))
print("connected", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
for i in range(200):
    peer.sendall(bytes(100))
    peer.recv(100, socket.MSG_WAITALL)
"""


def check_kept():
    """Programs that stay know the cgroups that were there when they came."""
    shop, cart = make_cgroup("kept.service"), make_cgroup("kept-client.service")
    write_labels("")
    bpffs = path("bpf")
    os.mkdir(bpffs)
    must("mount", "-t", "bpf", "bpf", bpffs)
    try:
        must(*inside(SERVER, ACKMON, "attach", "-i", "eth0", "--labels", path("labels.csv"), "--bpffs", bpffs))
        made = talk(shop, cart, 10)
        far = ackmon(SERVER, "kept", "--bpffs", bpffs)
        want = {("unknown", "kept.service", "eu", "established"): made}
        report(becomes(lambda: series("kept", "ackmon_connections_total") == want),
               "what stays attached counts by cgroups while nobody reads", series("kept", "ackmon_connections_total"))
        stop(far, signal.SIGINT)
        must(*inside(SERVER, ACKMON, "detach", "-i", "eth0", "--bpffs", bpffs))
    finally:
        run("umount", bpffs)


@atexit.register
def remove_cgroups():
    """Before the last of lab's own children is gone, some cannot be."""
    for child in list(children):
        child.kill()
        child.wait()
    for cgroup in reversed(CGROUPS):
        becomes(lambda: not open(os.path.join(cgroup, "cgroup.procs")).read().strip(), 5)
        try:
            os.rmdir(cgroup)
        except OSError as error: # another run is below it, as in /system.slice
            if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
                raise
    if os.path.isdir(os.path.join(TREE, SLICE)):
        os.rmdir(os.path.join(TREE, SLICE))


needs_root("owners")
TREE, SLICE = cgroup_tree(), f"ackmon{os.getpid()}.slice"
if not TREE or not os.access(TREE, os.W_OK):
    skip("owners", "no cgroup2 file system to make groups in")
    end()
for host in (SERVER, CLIENT):
    add_host(host)
wire(CLIENT, SERVER, "10.94.0")
check_both_ends()
check_labels()
check_midstream()
check_kept()
check_shapes()
check_other()
end()
