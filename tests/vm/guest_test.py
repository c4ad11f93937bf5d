#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What has to hold on every kernel; runs inside a virtual machine, as its only work.

usage: tests/vm/run.sh KERNEL tests/vm/guest_test.py [CHECK...]      speaks TAP

  near  near0 10.78.0.1 ---- far0 10.78.0.2  far      ackmon is at near0; a frame is a segment

The other programs on the wire are those of xdp-tools: xdp-filter, which lets all pass and counts it.
"""
import contextlib
import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
ACKMON, TRAFFIC = TREE + "/build/ackmon", TREE + "/build/tests/traffic"
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
CONNECTIONS, REQUEST, RESPONSE = 4, 20 * 1448, 30 * 1448
SLOW = 300  # seconds anything may take here

kernel = tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
NATIVE_VLAN = ["native-vlan"] if kernel >= (6, 8) else []  # the mode, where there is one
work = tempfile.mkdtemp()
os.chmod(work, 0o755)


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def demand(truth, *words):
    if not truth:
        raise Failed(" ".join(str(word) for word in words))


# ---------------------------------------------------------------- machinery

def on(host, *command):
    """nsenter and not `ip netns exec`: the latter remounts /sys and hides bpffs."""
    return ["nsenter", f"--net=/run/netns/{host}", *command]


def run(*command, may_fail=False, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SLOW, **options)
    demand(may_fail or not done.returncode, *command, f"ended with {done.returncode}:", done.stdout[-500:],
           done.stderr[-1500:])
    return done


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def until(claim, what):
    end = time.monotonic() + SLOW
    while not claim():
        demand(time.monotonic() < end, "waited in vain for", what() if callable(what) else what)
        time.sleep(0.05)


@contextlib.contextmanager
def started(command, ready, name, **options):
    """A process that has said what makes it ready; ended by force when nobody ended it."""
    said = f"{work}/{name}"
    with open(said, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **options)
    process.said = lambda: read(said)
    try:
        until(lambda: re.search(ready, process.said()) or process.poll() is not None, lambda: f"{name}: {process.said()}")
        demand(process.poll() is None, name, "ended:", process.said()[-1500:])
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def end(process):
    process.send_signal(signal.SIGINT)
    code = process.wait(SLOW)
    demand(code == 0, "exit code", code, process.said()[-1500:])


def network_up(mtu=1500):
    for host, name, address in ("near", "near0", "10.78.0.1"), ("far", "far0", "10.78.0.2"):
        run("ip", "netns", "add", host)
        for path in "all", "default":
            run(*on(host, "sysctl", "-qw", f"net.ipv6.conf.{path}.disable_ipv6=1"))
    run("ip", "link", "add", "near0", "netns", "near", "mtu", str(mtu), "gso_max_segs", "1", "type", "veth",
        "peer", "name", "far0", "netns", "far", "mtu", str(mtu), "gso_max_segs", "1")
    for host, name, address in ("near", "near0", "10.78.0.1"), ("far", "far0", "10.78.0.2"):
        run("ip", "-n", host, "addr", "add", address + "/24", "dev", name)
        run("ip", "-n", host, "link", "set", "lo", "up")
        run("ip", "-n", host, "link", "set", name, "up")


def network_down():
    for host in "near", "far":
        run("ip", "netns", "del", host, may_fail=True)


def transfer(request=REQUEST, response=RESPONSE, address="10.78.0.1"):
    """Connections from far to that address of near; what both kernels say of each, by the client's port."""
    options = ["--port", "8080", "--count", str(CONNECTIONS)]
    with started(on("near", TRAFFIC, "server", *options, "--seconds", str(SLOW)), "end,", "server") as server:
        client = run(*on("far", TRAFFIC, "client", address, *options, "--request", str(request),
                         "--response", str(response)))
        demand(server.wait(SLOW) == 0, "the server failed")
        lines = [line for text in (client.stdout, server.said()) for line in csv.DictReader(text.splitlines())]
    found = {}
    for line in lines:
        demand(line["outcome"] == "done", "a connection failed:", line)
        found.setdefault(int(line["client_port"]), {})[line["end"]] = line
    demand(len(found) == CONNECTIONS, len(found), "connections")
    return found


def link_frames(name="near0"):
    stats = json.loads(run("ip", "-n", "near", "-s", "-j", "link", "show", name).stdout)[0]["stats64"]
    return stats["rx"]["packets"] + stats["tx"]["packets"]


def lines_of(path):
    """Whole ones: the last may be on its way."""
    return [json.loads(line) for line in read(path).splitlines(keepends=True) if line.endswith("\n")]


def records(path):
    return {record["opener_port"]: record for record in lines_of(path) if record["responder_port"] == 8080}


def compare(kernels, found, iface="near0"):
    """Each connection has its record, with the octets, segments and repeats the two kernels count."""
    demand(set(kernels) <= set(found), len(set(kernels) - set(found)), "of", len(kernels), "connections have no record")
    for port, ends in kernels.items():
        record = found[port]
        # A slow machine sends a FIN again to an end that is over, and has a RST for it.
        reset = "R" in record["opener_flags"] + record["responder_flags"]
        demand(record["outcome"] == "established" and record["close"] == ("rst" if reset else "fin"),
               record["iface"], record["outcome"], record["close"])
        demand(record["iface"] == iface, "the interface is called", record["iface"], "not", iface)
        for side, other, line in ("opener", "responder", ends["client"]), ("responder", "opener", ends["server"]):
            sent = int(line["bytes_sent"]) - int(line["bytes_retrans"])
            demand(record[side + "_unique_bytes"] == sent, side, record[side + "_unique_bytes"], "bytes, not", sent)
            again = int(line["total_retrans"])
            demand(record[side + "_retransmitted_segments"] == again, side, "repeats",
                   record[side + "_retransmitted_segments"], "not", again)
            # What is left of a socket in TIME_WAIT sends an ACK for each FIN that comes, and counts it nowhere.
            segments, least = record[side + "_segments"], int(line["segs_out"])
            most = least + 1 + record[other + "_fin_retrans"]
            demand(least <= segments <= most, iface, side, segments, "segments, the kernel says", least, "to", most,
                   {name: value for name, value in record.items() if re.match("opener_|responder_", name) and value})


def watching(*options, name="watch", **more):
    command = on("near", ACKMON, "-i", "near0", "-j", "-w", f"{work}/records", *options)
    return started(command, r"near0: .*(in|e)gress|near0: taken over", name, **more)


def frames_of(said):
    """What the summary says of XDP ingress, TC ingress, TC egress."""
    summary = re.findall(r"([\d,]+) frames? seen", said)
    return int(summary[-1].replace(",", "")) if summary else -1


def status():
    lines = run(*on("near", ACKMON, "status", "-j", "-q", "-i", "near0")).stdout.splitlines()
    return json.loads(lines[0]) if lines else {}


def left_behind():
    said = run(*on("near", "bpftool", "net", "show", "dev", "near0")).stdout
    said += run(*on("near", "tc", "qdisc", "show", "dev", "near0")).stdout
    return [line for line in said.splitlines() if "ackmon" in line or "clsact" in line] + \
        [str(program) for program in status().get("programs", [])] + \
        [path for path, _, files in os.walk("/sys/fs/bpf/ackmon") if files]


# ---------------------------------------------------------------- alone

def check_verifier():
    """the verifier takes the programs"""
    run(TREE + "/build/tests/walked")


def check_two_cpus():
    """two CPUs that open or end one connection at once leave one record"""
    done = run(TREE + "/build/tests/two_cpus", may_fail=True)
    demand(done.returncode == 0, done.stdout[-600:], done.stderr[-600:])


def counted(*options, **more):
    with watching(*options, **more) as watcher:
        before = link_frames()
        kernels = transfer()
        after = link_frames()
        end(watcher)
        said = watcher.said()
    compare(kernels, records(f"{work}/records"))
    demand(frames_of(said) == after - before, frames_of(said), "frames seen,", after - before, "passed:", said)
    demand(not left_behind(), "left:", *left_behind())
    return said


def check_native():
    """native XDP counts what the kernels count"""
    said = counted("-m", "native")
    demand("native XDP ingress" in said, said)


def check_generic():
    """generic XDP counts what the kernels count"""
    said = counted("-m", "skb")
    demand("generic XDP ingress" in said, said)


def check_tc():
    """TC counts what the kernels count"""
    said = counted("-m", "tc")
    demand(("TCX" if kernel >= (6, 6) else "clsact") in said, said)


def check_clsact():
    """TC by clsact filters counts what the kernels count"""
    if kernel < (6, 6):
        raise Skipped("that is what TC is here")
    said = counted("-m", "tc", env={**os.environ, "ACKMON_TC": "clsact"})
    demand("clsact" in said, said)


def check_mtu():
    """frames of 9000 bytes pass native XDP and TC, and are counted whole"""
    network_down()
    network_up(mtu=9000)
    for mode in ("native", "tc", *NATIVE_VLAN):
        if mode == "native" and kernel < (5, 18):
            with_refusal = run(*on("near", ACKMON, "-i", "near0", "-m", "native", "--duration", "0.1"), may_fail=True)
            demand(with_refusal.returncode == 1 and re.search("MTU|frags|-m tc", with_refusal.stderr), "said:",
                   with_refusal.stderr)
            continue
        with watching("-m", mode) as watcher:
            kernels = transfer(request=50 * 8948, response=50 * 8948)
            end(watcher)
        found = records(f"{work}/records")
        compare(kernels, found)
        for port in kernels:
            wire = found[port]["responder_wire_bytes"] / found[port]["responder_frames"]
            demand(wire > 1514, mode, ": frames of", wire, "bytes in the mean are not large")


def check_rename():
    """an interface that gets another name keeps being watched"""
    with watching("-m", "native") as watcher:
        first = transfer()
        if kernel < (6, 12):  # only while down
            run("ip", "-n", "near", "link", "set", "near0", "down")
        run("ip", "-n", "near", "link", "set", "near0", "name", "other0")
        run("ip", "-n", "near", "link", "set", "other0", "up")
        until(lambda: "other0" in watcher.said(), lambda: "the new name; said: " + watcher.said())
        second = transfer()
        end(watcher)
    found = records(f"{work}/records")
    compare(second, found, iface="other0")
    compare(first, found, iface=found[next(iter(first))]["iface"])


def check_pins():
    """attached for good: a reader is killed, the kernel side counts on, the next reader has it all"""
    restart_from_pins("-m", "tc")


def restart_from_pins(*options, address="10.78.0.1"):
    for name in "records", "records2":  # readers of what is kept go on behind what a file holds
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{work}/{name}")
    run(*on("near", ACKMON, "attach", "-q", "-i", "near0", *options))
    try:
        with watching() as watcher:
            first = transfer(address=address)
            watcher.kill()
            watcher.wait()
        seen, passed = status()["frames_seen"], link_frames()
        second = transfer(address=address)
        now = status()
        demand(now["frames_seen"] - seen == link_frames() - passed, now["frames_seen"] - seen, "frames seen without a reader,",
               link_frames() - passed, "passed")
        with started(on("near", ACKMON, "-i", "near0", "-j", "-w", f"{work}/records2"), "taken over", "next") as watcher:
            until(lambda: len(records(f"{work}/records2")) >= 2 * CONNECTIONS or
                  {**records(f"{work}/records"), **records(f"{work}/records2")}.keys() >= {*first, *second},
                  "the records")
            watcher.send_signal(signal.SIGTERM)
            watcher.wait(SLOW)
        demand(status()["frames_seen"] >= now["frames_seen"], "frames seen fell")
        compare({**first, **second}, {**records(f"{work}/records"), **records(f"{work}/records2")})
        return now
    finally:
        run(*on("near", ACKMON, "detach", "-q"))
        demand(not left_behind(), "left:", *left_behind())


# ---------------------------------------------------------------- with others

def filter_frames():
    """What xdp-filter let pass."""
    dump = json.loads(run("bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/xdp-filter/xdp_stats_map").stdout)
    packets = [bytes(int(octet, 16) for octet in cpu["value"][:8]) for entry in dump for cpu in entry["values"]]
    return sum(int.from_bytes(octets, "little") for octets in packets)


def chain():
    """The programs of near0 in the order they run: name and priority."""
    said = run(*on("near", "xdp-loader", "status", "near0")).stdout
    return [(name, int(priority)) for priority, name in re.findall(r"=>\s+(\d+)\s+(\S+)", said)]


def demand_alone():
    """freplace does not take the form of the programs for old kernels: a sentence, and all stays as it was."""
    before = chain()
    refused = run(*on("near", ACKMON, "-i", "near0", "-m", "native", "--duration", "0.1"), may_fail=True)
    demand(refused.returncode == 1 and re.search(r"freplace.*-m tc", refused.stderr), "said:", refused.stderr)
    demand(chain() == before, "the chain is", *chain())
    raise Skipped("refused by a sentence: before Linux 5.12 ackmon's XDP program is alone on its interface")


@contextlib.contextmanager
def neighbour():
    for program in "xdp-filter", "xdp-loader":
        if not shutil.which(program):
            raise Skipped(f"{program} is missing where this machine was packed; run: sudo make vm-deps")
    run(*on("near", "xdp-filter", "load", "-m", "native", "-f", "tcp", "near0"))
    try:
        if kernel < (5, 12):
            demand_alone()
        yield
    finally:
        run(*on("near", "xdp-filter", "unload", "near0"))


def check_join():
    """beside a program of libxdp's dispatcher ackmon runs first, both count, the other stays"""
    with neighbour():
        with watching("-m", "native") as watcher:
            demand([name for name, _ in chain()][:1] == ["ackmon_xdp"] and len(chain()) == 2, "the chain is", *chain())
            before = filter_frames()
            kernels = transfer()
            others = filter_frames() - before
            end(watcher)
            said = watcher.said()
        compare(kernels, records(f"{work}/records"))
        ours = int(re.search(r"([\d,]+) XDP ingress", said).group(1).replace(",", ""))
        demand(ours == others, "we saw", ours, "frames, xdp-filter", others)
        demand([name for name, _ in chain()] == ["xdpfilt_alw_tcp"], "the chain is", *chain())
        before = filter_frames()
        transfer()
        demand(filter_frames() > before, "xdp-filter sees nothing after us")
    demand(not left_behind(), "left:", *left_behind())


def check_joined():
    """other programs come and go beside a watching ackmon, before it and behind it, and it misses no frame"""
    if kernel < (5, 12):
        with neighbour():
            return
    with watching("-m", "native") as watcher:
        before = link_frames()
        kernels = transfer()
        with neighbour():
            kernels.update(transfer())
            run(*on("near", "xdp-loader", "load", "-m", "native", "-P", "2", "near0",
                    "/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o"))
            order = [priority for _, priority in chain()]
            demand(len(order) == 3 and order == sorted(order), "the chain is", *chain())
            demand(chain()[1][0] == "ackmon_xdp", "the chain is", *chain())
            kernels.update(transfer())
            identity = re.search(r"=>\s+2\s+\S+\s+(\d+)", run(*on("near", "xdp-loader", "status", "near0")).stdout).group(1)
            run(*on("near", "xdp-loader", "unload", "near0", "-i", identity))
        kernels.update(transfer())
        passed = link_frames() - before
        end(watcher)
        said = watcher.said()
    compare(kernels, records(f"{work}/records"))
    demand(frames_of(said) == passed, frames_of(said), "frames seen,", passed, "passed:", said)
    demand(not left_behind(), "left:", *left_behind())


def check_kept():
    """the same for what is attached for good: a killed reader, and the dispatcher keeps both"""
    with neighbour():
        before = filter_frames()
        now = restart_from_pins("-m", "native")
        demand([p.get("with") for p in now["programs"] if p["hook"] == "xdp"] == ["dispatcher"], now["programs"])
        demand(filter_frames() - before >= 2 * CONNECTIONS * 20, "xdp-filter saw", filter_frames() - before, "frames")
        demand(len(chain()) == 1, "after detach the chain is", *chain())


def check_foreign():
    """a program outside of a dispatcher is not replaced: its name, its id, and the way out"""
    run(*on("near", "ip", "link", "set", "dev", "near0", "xdpdrv", "obj", TREE + "/build/tests/foreign.bpf", "sec", "xdp"))
    before = run(*on("near", "bpftool", "-j", "net", "show", "dev", "near0")).stdout
    refused = run(*on("near", ACKMON, "-i", "near0", "-m", "native", "--duration", "0.1"), may_fail=True)
    demand(refused.returncode == 1 and re.search(r'"neighbour_xdp" \(id \d+\).*-m tc', refused.stderr), "said:", refused.stderr)
    demand(before == run(*on("near", "bpftool", "-j", "net", "show", "dev", "near0")).stdout, "it changed")


# ---------------------------------------------------------------- one connection, several interfaces

def stacked(names, *options):
    """Connections over an interface and the one below it: each counts once and names both."""
    chosen = [word for name in names for word in ("-i", name)]
    command = on("near", ACKMON, *chosen, "-j", "-w", f"{work}/records", *options)
    with started(command, "room for", "watch") as watcher:
        kernels = transfer()
        end(watcher)
    found = records(f"{work}/records")
    demand(len(read(f"{work}/records").splitlines()) == CONNECTIONS, "records:", read(f"{work}/records")[:600])
    for record in found.values():
        demand({record["iface"], record.get("also_ifaces")} == set(names), record["iface"], record.get("also_ifaces"))
    for port, record in found.items():
        record["iface"] = "near0"
    compare(kernels, found)


def over_near0(name, *kind):
    """near's address moves to an interface of that kind above near0."""
    run("ip", "-n", "near", "addr", "flush", "dev", "near0")
    done = run("ip", "-n", "near", "link", "add", "name", name, "type", *kind, may_fail=True)
    if done.returncode:
        raise Skipped(f"no {kind[0]} here: {done.stderr.strip()}")
    if kind[0] == "bond":
        run("ip", "-n", "near", "link", "set", "near0", "down")
    run("ip", "-n", "near", "link", "set", "near0", "master", name)
    for link in "near0", name:
        run("ip", "-n", "near", "link", "set", link, "up")
    run("ip", "-n", "near", "addr", "add", "10.78.0.1/24", "dev", name)
    run("ip", "-n", "near", "link", "set", name, "address",
        json.loads(run("ip", "-n", "near", "-j", "link", "show", "near0").stdout)[0]["address"])


def check_bond():
    """a bond and its slave: each connection counts once and names both"""
    over_near0("bond0", "bond", "mode", "active-backup")
    stacked(("near0", "bond0"), "-m", "tc")


def check_bridge():
    """a bridge and its port: each connection counts once and names both"""
    over_near0("br0", "bridge")
    stacked(("near0", "br0"), "-m", "tc")


def check_vlan():
    """a VLAN and what carries it: each connection counts once and names both"""
    for host, parent, address in ("near", "near0", "10.78.0.1"), ("far", "far0", "10.78.0.2"):
        run("ip", "-n", host, "addr", "flush", "dev", parent)
        run("ip", "-n", host, "link", "add", "link", parent, "name", "v7", "type", "vlan", "id", "7")
        run("ip", "-n", host, "link", "set", "v7", "up")
        run("ip", "-n", host, "addr", "add", address + "/24", "dev", "v7")
    stacked(("near0", "v7"), "-m", "tc")


# ---------------------------------------------------------------- a tag beside the frame

# By the address that is connected to: the VLAN it is in, the outer one where there are two.
TAGS = {"10.78.0.1": None, "10.78.7.1": 7, "10.78.8.1": 100}


def tag_up(below, name, vid, proto="802.1Q", addressed=True):
    """A VLAN at both ends of that link. veth hands a tag on beside the frame, as cards do that take it off."""
    for host, here, _ in both_ends():
        run("ip", "-n", host, "link", "add", "link", below.format(host), "name", name, "gso_max_segs", "1",
            "type", "vlan", "proto", proto, "id", str(vid))
        run("ip", "-n", host, "link", "set", name, "up")
        if addressed:
            run("ip", "-n", host, "addr", "add", f"10.78.{vid}.{here}/24", "dev", name)


def tags_up():
    """One tag, and two: the outer one beside the frame, the inner one in it."""
    tag_up("{}0", "v7", 7)
    tag_up("{}0", "v100", 100, "802.1ad", addressed=False)
    tag_up("v100", "v100.8", 8)


def compare_tags(kernels, wanted, iface="near0"):
    """Of connections by the address they went to: the numbers of both kernels, and the VLAN."""
    lines = lines_of(f"{work}/records")
    for address, ends in kernels.items():
        found = {line["opener_port"]: line for line in lines if line["responder_addr"] == address}
        compare(ends, found, iface)
        tags = {record.get("vlan") for record in found.values()}
        demand(tags == {wanted[address]}, address, "is in VLAN", *tags, "not", wanted[address])


def watched_tags(wanted, *options):
    with watching(*options) as watcher:
        before = link_frames()
        kernels = {address: transfer(address=address) for address in wanted}
        passed = link_frames() - before
        end(watcher)
        said = watcher.said()
    compare_tags(kernels, wanted)
    demand(frames_of(said) == passed, frames_of(said), "frames seen,", passed, "passed:", said)
    demand(not left_behind(), "left:", *left_behind())
    return said


def need_tags():
    if not NATIVE_VLAN:
        raise Skipped("XDP is told tags from Linux 6.8 on")


def check_tag_missed():
    """native and generic XDP miss a tag beside the frame, and say so where there are VLANs; TC has it"""
    with watching("-m", "native") as watcher:
        end(watcher)
        demand("tags" not in watcher.said(), "of no VLAN it said:", watcher.said())
    tags_up()
    wayout = "try -m native-vlan or -m tc$" if NATIVE_VLAN else "try -m tc$"
    for mode in "native", "skb":
        said = watched_tags({**TAGS, "10.78.7.1": None, "10.78.8.1": 8}, "-m", mode)
        demand(re.search("(?m)XDP ingress.*VLAN tags are taken off before XDP.*" + wayout, said), "said:", said)
        os.unlink(f"{work}/records")
    said = watched_tags(TAGS, "-m", "tc")
    demand("tags" not in said, "said:", said)


def modes_shown():
    """What metrics, status and -D call the hook of incoming frames."""
    until(lambda: os.path.exists(f"{work}/metrics"), "the socket of metrics")
    with socket.socket(socket.AF_UNIX) as metrics:
        metrics.connect(f"{work}/metrics")
        metrics.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: metrics.recv(65536), b"")).decode()
    infos = [line for line in answer.splitlines() if line.startswith("ackmon_attach_info") and 'hook="xdp"' in line]
    listed = run(*on("near", ACKMON, "-D")).stdout
    return (re.findall('mode="([^"]*)"', " ".join(infos)),
            [(p["mode"], p["with"]) for p in status()["programs"] if p["hook"] == "xdp"],
            re.findall(r"near0 .* (\S*native\S*) .*xdp-native (\w+)", listed))


def check_tag():
    """-m native-vlan has the tag beside the frame in the record, also over a second one, and counts what the kernels count"""
    need_tags()
    tags_up()
    said = watched_tags(TAGS, "-m", "native-vlan")
    demand("near0: native XDP ingress with VLAN tags, TC egress" in said, "said:", said)
    with watching("-m", "native-vlan", "--listen", f"{work}/metrics") as watcher:
        shown = modes_shown()
        end(watcher)
    demand(shown == (["native-vlan"], [("native-vlan", "alone")], [("native,native-vlan,skb", "ackmon_xdp_vlan")]), *shown)


def check_tag_tunnel():
    """-m native-vlan looks into a tunnel behind a tag"""
    need_tags()
    tags_up()
    for host, here, there in both_ends():
        done = run("ip", "-n", host, "link", "add", "ipip1", "gso_max_segs", "1", "type", "ipip",
                   "local", f"10.78.7.{here}", "remote", f"10.78.7.{there}", may_fail=True)
        if done.returncode:
            raise Skipped(f"no ipip: {done.stderr.strip()}")
    bare_up("ipip1", 50, False)
    watched_tags({"10.78.50.1": 7}, "-m", "native-vlan", "--decap", "ipip")
    tunnels = {record.get("tunnel") for record in records(f"{work}/records").values()}
    demand(tunnels == {"ipip"}, "tunnels:", *tunnels)


def check_tag_kept():
    """-m native-vlan attached for good: readers are killed, modes change, programs are replaced, the tag is known"""
    need_tags()
    tags_up()
    now = restart_from_pins("-m", "native-vlan", address="10.78.7.1")
    demand(["native-vlan"] == [p["mode"] for p in now["programs"] if p["hook"] == "xdp"], now["programs"])
    found = {**records(f"{work}/records"), **records(f"{work}/records2")}
    demand({record.get("vlan") for record in found.values()} == {7}, found)
    kernels, chosen = {}, []
    for options in ("-m", "tc"), ("-m", "native-vlan"), ("-m", "native"), ("-m", "native-vlan"), ():
        run(*on("near", ACKMON, "attach", "-q", "-i", "near0", *options))
        chosen += [p["mode"] for p in status()["programs"] if p["hook"] == "xdp"] or ["tc"]
    demand(chosen == ["tc", "native-vlan", "native", "native-vlan", "native-vlan"], *chosen)
    before = link_frames() - status()["frames_seen"]
    kernels = transfer(address="10.78.7.1")
    demand(link_frames() - status()["frames_seen"] == before, "frames are missing")
    os.unlink(f"{work}/records")
    with watching() as watcher:
        demand("taken over: native XDP ingress with VLAN tags" in watcher.said(), watcher.said())
        until(lambda: len(records(f"{work}/records")) >= CONNECTIONS, "the records")
        end(watcher)
    compare_tags({"10.78.7.1": kernels}, TAGS)


def second_link_up():
    run("ip", "link", "add", "near1", "netns", "near", "gso_max_segs", "1", "type", "veth",
        "peer", "name", "far1", "netns", "far", "gso_max_segs", "1")
    for host in "near", "far":
        run("ip", "-n", host, "link", "set", host + "1", "up")
    tag_up("{}1", "v9", 9)


def check_tag_twice():
    """-m native-vlan on two interfaces at once: each has its program; one goes and comes back; kill -9 leaves nothing"""
    need_tags()
    tags_up()
    second_link_up()
    both = on("near", ACKMON, "-i", "near0", "-i", "near1", "-j", "-w", f"{work}/records", "-m", "native-vlan")
    came = r"near1: native XDP ingress with VLAN tags"
    with started(both, came, "killed") as watcher:
        transfer(address="10.78.7.1")
        watcher.kill()
        watcher.wait()
    until(lambda: not left_behind(), lambda: "what was killed to go: " + " ".join(left_behind()))
    with started(both, came, "watch") as watcher:
        kernels = {"10.78.7.1": transfer(address="10.78.7.1"), "10.78.9.1": transfer(address="10.78.9.1")}
        run("ip", "-n", "near", "link", "del", "near1")
        second_link_up()
        until(lambda: len(re.findall(came, watcher.said())) == 2, lambda: "near1 to be back; said: " + watcher.said())
        again = transfer(address="10.78.9.1")
        end(watcher)
    compare_tags({"10.78.7.1": kernels["10.78.7.1"]}, TAGS)
    compare_tags({"10.78.9.1": {**kernels["10.78.9.1"], **again}}, {"10.78.9.1": 9}, iface="near1")
    demand(not left_behind(), "left:", *left_behind())


def demand_refused(name, *words):
    refused = run(*on("near", ACKMON, "-i", name, "-m", "native-vlan", "--duration", "0.1"), may_fail=True)
    demand(refused.returncode == 1 and len(refused.stderr.splitlines()) == 1, name, "said:", refused.stderr)
    for word in words:
        demand(word in refused.stderr, name, "said:", refused.stderr, "and not:", word)


def check_tag_refused():
    """-m native-vlan is refused by a sentence: old kernels, drivers that know no tag, no Ethernet header, another program"""
    demand_refused("lo", "loopback has no native XDP", "-m tc")
    run("ip", "-n", "near", "link", "add", "dummy0", "type", "dummy")
    for name, mode in ("tap0", "tap"), ("tun0", "tun"):
        run("ip", "-n", "near", "tuntap", "add", name, "mode", mode)
    demand_refused("tun0", "no Ethernet header", "-m tc")
    if not NATIVE_VLAN:
        for name in "near0", "dummy0", "tap0":
            demand_refused(name, name + ": XDP is told VLAN tags from Linux 6.8 on; try -m tc")
        return
    demand_refused("dummy0", "driver dummy does not tell XDP", "-m tc, or ethtool -K dummy0 rxvlan off")
    demand_refused("tap0", "driver tun does not tell XDP", "-m tc, or ethtool -K tap0 rxvlan off")
    with neighbour():
        before = chain()
        demand_refused("near0", '"xdp_dispatcher" (id', "bound to its interface; try -m tc")
        demand(chain() == before, "the chain is", *chain())
    run(*on("near", "ip", "link", "set", "dev", "near0", "xdpdrv", "obj", TREE + "/build/tests/foreign.bpf", "sec", "xdp"))
    demand_refused("near0", '"neighbour_xdp" (id', "-m tc")
    run(*on("near", "ip", "link", "set", "dev", "near0", "xdpdrv", "off"))
    with watching("-m", "native-vlan") as watcher:
        joined = run(*on("near", "xdp-filter", "load", "-m", "native", "-f", "tcp", "near0"), may_fail=True)
        demand(joined.returncode, "xdp-filter came beside it")
        end(watcher)


# ---------------------------------------------------------------- no Ethernet header

OVER4 = "local", "10.78.0.{here}", "remote", "10.78.0.{there}"
OVER6 = "local", "fd78::{here}", "remote", "fd78::{there}"
OTHER6 = "local", "fd78::1{here}", "remote", "fd78::1{there}"  # two of a kind want other ends
BARE = {  # interface: its kind, and whether IPv6 goes through it
    "ipip1": (("ipip", *OVER4), False),
    "sit1": (("sit", *OVER4), True),
    "gre1": (("gre", *OVER4, "key", "7", "csum"), False),  # with seq, what another CPU overtook is dropped before gre1
    "ip4in6": (("ip6tnl", "mode", "ipip6", *OVER6), False),
    "ip6in6": (("ip6tnl", "mode", "ip6ip6", *OTHER6), True),
    "gre6": (("ip6gre", *OVER6), True),
    "wg1": (("wireguard",), False),
}


def both_ends():
    return ("near", 1, 2), ("far", 2, 1)


def address_at(number, host, is_v6):
    return f"fd78:{number}::{host}" if is_v6 else f"10.78.{number}.{host}"


def bare_up(name, number, is_v6):
    """Addresses of an interface that is there at both ends."""
    for host, here, _ in both_ends():
        run(*on(host, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6={int(not is_v6)}"))
        run("ip", "-n", host, "addr", "add", address_at(number, here, is_v6) + ("/64" if is_v6 else "/24"), "dev", name,
            *(["nodad"] if is_v6 else []))
        run("ip", "-n", host, "link", "set", name, "up")


def wireguard_keys(name, number):
    if not shutil.which("wg"):
        raise Skipped("no wg here")
    public = {}
    for host in "near", "far":
        with open(f"{work}/{host}.key", "w") as file:
            file.write(run("wg", "genkey").stdout)
        public[host] = run("wg", "pubkey", input=read(f"{work}/{host}.key")).stdout.strip()
    for host, _, there in both_ends():
        run(*on(host, "wg", "set", name, "listen-port", "51820", "private-key", f"{work}/{host}.key",
                "peer", public["far" if host == "near" else "near"],
                "endpoint", f"10.78.0.{there}:51820", "allowed-ips", f"10.78.{number}.0/24"))


def bare_made(name, number, kind, is_v6):
    for host, here, there in both_ends():
        done = run("ip", "-n", host, "link", "add", name, "gso_max_segs", "1", "type",
                   *(word.format(here=here, there=there) for word in kind), may_fail=True)
        if done.returncode:
            raise Skipped(f"no {kind[0]}: {done.stderr.strip()}")
    if kind[0] == "wireguard":
        wireguard_keys(name, number)
    bare_up(name, number, is_v6)


def have_ended():
    """Whether nothing is on its way any more: what is left of the connections is one end's TIME_WAIT."""
    for host in "near", "far":
        for line in run(*on(host, "cat", "/proc/net/tcp", "/proc/net/tcp6")).stdout.splitlines():
            words = line.split()
            if any(word.endswith(":1F90") for word in words[1:3]) and words[3] != "06":
                return False
    return True


def watched_bare(interfaces):
    """Connections through each interface, all of them watched at once: records are those of the kernels."""
    chosen = [word for name in interfaces for word in ("-i", name)]
    ready = ".*".join(f"{name}: TC ingress and egress[^\n]*without Ethernet header" for name in interfaces)
    before = sum(map(link_frames, interfaces))
    kernels = {}
    with started(on("near", ACKMON, *chosen, "-j", "-w", f"{work}/records", "-m", "tc"), f"(?s){ready}", "watch") as watcher:
        for name, (number, is_v6) in interfaces.items():
            kernels[name] = transfer(4 * 1200, 6 * 1200, address_at(number, 1, is_v6))
        until(have_ended, "the ends of the connections")  # wireguard and serial lines deliver when they come to it
        passed = sum(map(link_frames, interfaces)) - before
        end(watcher)
        said = watcher.said()
    found = lines_of(f"{work}/records")
    for name in interfaces:
        compare(kernels[name], {r["opener_port"]: r for r in found if r["iface"] == name and r["responder_port"] == 8080}, iface=name)
    demand(len(found) == len(interfaces) * CONNECTIONS, len(found), "records")
    # What the stack put together on its way in is one frame to us.
    demand(passed / 2 < frames_of(said) <= passed, frames_of(said), "frames seen,", passed, "passed:", said)
    refused = run(*on("near", ACKMON, "-i", name, "-m", "native", "--duration", "0.1"), may_fail=True)
    demand(refused.returncode == 1 and "have no Ethernet header" in refused.stderr, name, "native:", refused.stderr)


def check_bare():
    """tunnels without an Ethernet header: ipip, sit, gre, ip6tnl, ip6gre, wireguard count what the kernels count"""
    for host, here, _ in both_ends():
        run(*on(host, "sysctl", "-qw", f"net.ipv6.conf.{host}0.disable_ipv6=0"))
        for address in f"fd78::{here}", f"fd78::1{here}":
            run("ip", "-n", host, "addr", "add", address + "/64", "dev", host + "0", "nodad")
    there = {}
    for number, (name, (kind, is_v6)) in enumerate(BARE.items(), 1):
        try:
            bare_made(name, number, kind, is_v6)
            there[name] = number, is_v6
        except Skipped as why:
            print(f"# left out: {why}")
    if not there:
        raise Skipped("none of them here")
    watched_bare(there)


def check_serial():
    """serial lines, ppp and slip: the same"""
    with contextlib.ExitStack() as lines:
        there = {}
        for number, (kind, name) in enumerate((("ppp", "ppp0"), ("slip", "sl0")), 21):
            try:
                lines.enter_context(started([TREE + "/tests/vm/serial_pair.py", kind, "near", "far"], "ready", kind))
            except Failed as why:
                print(f"# left out: no {kind}: {str(why).splitlines()[-1]}")
                continue
            for host in "near", "far":
                run("ip", "-n", host, "link", "set", name, "mtu", "1500")
            bare_up(name, number, False)
            there[name] = number, False
        if not there:
            raise Skipped("this kernel has neither")
        watched_bare(there)


# ---------------------------------------------------------------- rights

def with_capabilities(*names):
    those = ",".join("+" + name for name in names) if names else "-all"
    return [*NOBODY, "--inh-caps", those, "--ambient-caps", those] if names else NOBODY


def check_capabilities():
    """a plain user with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN watches; each one missing is named"""
    needed = ["net_admin", "bpf", "perfmon"] + (["sys_resource"] if kernel < (5, 11) else [])
    os.chmod(work, 0o777)
    for mode in ("native", "tc", *NATIVE_VLAN):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{work}/records")
        command = on("near", *with_capabilities(*needed), ACKMON, "-i", "near0", "-j", "-w", f"{work}/records", "-m", mode)
        with started(command, "near0: .*ingress", "plain") as watcher:
            kernels = transfer()
            end(watcher)
        compare(kernels, records(f"{work}/records"))
        demand(not left_behind(), "left:", *left_behind())
    for missing in needed:
        rest = [name for name in needed if name != missing]
        said = run(*on("near", *with_capabilities(*rest), ACKMON, "-i", "near0", "--duration", "0.1"), may_fail=True)
        demand(said.returncode == 1 and f"CAP_{missing.upper()}" in said.stderr, "without", missing, "it said:", said.stderr)


def check_group():
    """a group looks at what is attached, from Linux 5.19 on; before, a sentence says what it takes"""
    run(*on("near", ACKMON, "attach", "-q", "-i", "near0", "--group", "65532"))
    transfer()
    member = on("near", "setpriv", "--reuid", "65534", "--regid", "65534", "--groups", "65532", ACKMON)
    looked = run(*member, "--look", "-i", "near0", "-j", "--duration", "0.1", may_fail=True)
    said = run(*member, "status", "-j", "-i", "near0", may_fail=True)
    if kernel < (5, 19):
        demand(looked.returncode == 1 and "near0: attached, but this kernel lets nobody look at maps without CAP_BPF" in looked.stderr,
               "--look said:", looked.stderr)
        demand(not looked.stdout, looked.stdout)
        demand(said.returncode in (0, 1) and "Traceback" not in said.stderr, "status said:", said.stdout, said.stderr)
        return
    demand(looked.returncode == 0, looked.stderr)
    flows = [line for line in map(json.loads, looked.stdout.splitlines()) if line["responder_port"] == 8080]
    demand(len(flows) == CONNECTIONS, len(flows), "flows:", looked.stdout[:500])
    demand(json.loads(said.stdout.splitlines()[0])["frames_seen"] == status()["frames_seen"], said.stdout, said.stderr)


def check_nobody():
    """without rights: replay works, watching is refused by one sentence"""
    said = run(*NOBODY, ACKMON, "-q", "-j", "-r", TREE + "/pcaps/fast_retransmit.pcap")
    demand('"opener_retransmitted_segments"' in said.stdout, said.stdout)
    said = run(*on("near", *NOBODY, ACKMON, "-i", "near0"), may_fail=True)
    demand(said.returncode == 1 and len(said.stderr.splitlines()) == 1 and "CAP_BPF" in said.stderr, "said:", said.stderr)


CHECKS = [check_verifier, check_two_cpus, check_native, check_generic, check_tc, check_clsact, check_mtu, check_rename, check_pins,
          check_join, check_joined, check_kept, check_foreign, check_bond, check_bridge, check_vlan,
          check_tag_missed, check_tag, check_tag_tunnel, check_tag_kept, check_tag_twice, check_tag_refused, check_bare, check_serial,
          check_capabilities, check_group, check_nobody]


def main(wanted):
    failed = 0
    print("# running", os.uname().release, flush=True)
    checks = [check for check in CHECKS if not wanted or check.__name__[len("check_"):] in wanted]
    for number, check in enumerate(checks, 1):
        begin = time.monotonic()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{work}/records")
        try:
            network_up()
            check()
            print(f"ok {number} - {check.__doc__}")
        except Skipped as why:
            print(f"ok {number} - {check.__doc__} # SKIP {why}")
        except (Failed, OSError, subprocess.TimeoutExpired, LookupError, ValueError, AttributeError) as why:
            failed = 1
            print(f"not ok {number} - {check.__doc__}")
            print("\n".join("# " + line[:300] for line in f"{type(why).__name__}: {why}".splitlines()[:14]))
        finally:
            run(*on("near", ACKMON, "detach", "-q"), may_fail=True)
            network_down()
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
    print(f"1..{len(checks)}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
