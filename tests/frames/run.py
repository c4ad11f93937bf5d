#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every frame of make_frames.py through ackmon -r, the core, and the three programs: each says what was decided.

usage: run.py [NAME...]     all of them, or those whose names begin so

Speaks TAP: a line for each family and door. What is expected stands in make_frames.py, not here. Without
root the programs are left out, with a sentence.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FRAMES = "build/frames"
ACKMON, REHEARSE = "build/ackmon", "build/tests/rehearse"
DOORS = ("xdp", "tc_ingress", "tc_egress")
# Each list of tunnels is another program to load: one word and its opposite stand for the others.
KERNEL_WORD = "vxlan"
# The kernel runs a program on whole Ethernet headers, and looks for the IP header it announces.
KERNEL_BYTES_SURE = 54
COUNTED = ("frames_seen", "frames_tracked", "frames_first_fragments", "frames_decapsulated", "unreachables")
ONLY_THEN = ("vlan", "tunnel", "tunnel_id", "icmp")


def listed(path, macro):
    """The entries of an X macro: (name, words)."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    body = re.search(rf"#define {macro}\(X\)(.*?[^\\])\n\n", text, re.S).group(1)
    return re.findall(r'X\((\w+),\s*"([^"]*)"\)', body)


REASONS = dict(listed(os.path.join(TOP, "include/abi/counters.h"), "UNTRACKED_REASONS"))
TUNNELS = [word for _, word in listed(os.path.join(TOP, "include/abi/tunnel.h"), "TUNNELS")]


def mask(decap):
    words = {"none": [], "all": TUNNELS}.get(decap, decap.split(","))
    return sum(1 << (TUNNELS.index(word) + 1) for word in words)


def expected_counters(expect):
    counters = dict.fromkeys(COUNTED + tuple(REASONS), 0)
    counters["frames_seen"] = 1
    if isinstance(expect, str):
        counters[expect] = 1
        return counters
    if "counters" in expect:
        counters.update(expect["counters"])
        counters["frames_seen"] = sum(counters[name] for name in ("frames_tracked", *REASONS))
        counters["frames_decapsulated"] = counters["frames_tracked"] if "tunnel" in expect else 0
        return counters
    counters["frames_tracked"] = 1
    counters["frames_first_fragments"] = int(expect.get("first_fragment", False))
    counters["frames_decapsulated"] = int(expect.get("decapsulated", False))
    return counters


def complain_counters(counters, expect):
    wrong = {name: counters.get(name) for name, value in expected_counters(expect).items()
             if counters.get(name) != value}
    if not wrong:
        return None
    named = expect if isinstance(expect, str) else "tracked"
    return f"expected {named}, counted " + ", ".join(f"{k} {v}" for k, v in wrong.items())


def complain_records(records, expect):
    if isinstance(expect, str):
        return f"expected {expect}, and there is a record" if records else None
    if len(records) != 1:
        return f"expected a record, there are {len(records)}"
    record = json.loads(records[0])
    fields = {k: v for k, v in expect.items() if k not in ("first_fragment", "decapsulated", "counters")}
    for name in ONLY_THEN:
        fields.setdefault(name, None)
    wrong = [f"{name} {record.get(name)} instead of {value}" for name, value in fields.items()
             if record.get(name) != value]
    return ", ".join(wrong) or None


# ---------------------------------------------------------------- ackmon -r

def said(stderr):
    """The counters of the summary sentence."""
    counters = dict.fromkeys(REASONS, 0)
    match = re.search(r"(\d+) frames? seen, (\d+) tracked", stderr)
    if not match:
        return None
    counters["frames_seen"], counters["frames_tracked"] = int(match[1]), int(match[2])
    words = {meaning: name for name, meaning in REASONS.items()}
    for count, meaning in re.findall(r"[:,] (\d+) \(([^)]*)\)", stderr):
        if meaning in words:
            counters[words[meaning]] = int(count)
    return counters


def replay(one):
    """Complaint or None, and the records."""
    command = [ACKMON, "-j", "-r", f"{FRAMES}/{one['name']}.pcap"]
    if one["decap"] != "none":
        command[1:1] = ["--decap", one["decap"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    records = done.stdout.splitlines()
    counters = said(done.stderr)
    if done.returncode or counters is None:
        return f"exit code {done.returncode}: {done.stderr.strip()}", records
    wanted = expected_counters(one["expect"])
    counters.update({name: wanted[name] for name in COUNTED[2:]}) # the sentence does not say these
    return complain_counters(counters, one["expect"]) or complain_records(records, one["expect"]), records


# ---------------------------------------------------------------- the programs

def read_counters(path):
    with open(path, encoding="ascii") as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


def rehearse(door, group, records):
    """Complaints by name, and how many frames the kernel would not run."""
    with tempfile.TemporaryDirectory() as work:
        return rehearse_in(work, door, group, records)


def rehearse_in(work, door, group, records):
    listing = "".join(f"{i} {FRAMES}/{one['name']}.pcap\n" for i, one in enumerate(group))
    for i in range(len(group)):
        os.makedirs(f"{work}/{i}", exist_ok=True)
    done = subprocess.run([REHEARSE, "-d", hex(mask(group[0]["decap"])), door, work], input=listing, text=True,
                          capture_output=True, check=False)
    verdicts = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    complaints, refused = {}, 0
    for i, one in enumerate(group):
        verdict = verdicts.get(str(i), f"not run: {done.stderr.strip()[-300:]}")
        if verdict == "done 1" and min(map(len, one["shape"])) // 2 < KERNEL_BYTES_SURE:
            refused += 1
            continue
        if verdict != "done 0":
            complaints[one["name"]] = verdict
            continue
        counters = read_counters(f"{work}/{i}/{door}.counters")
        core = read_counters(f"{work}/{i}/capture.counters")
        with open(f"{work}/{i}/{door}.ndjson", encoding="ascii") as file:
            own = file.read().splitlines()
        complaint = complain_counters(core, one["expect"])
        if complaint:
            complaint = "core: " + complaint
        elif counters != core:
            complaint = "counters differ from the core's: " + ", ".join(
                f"{k} {counters[k]} / {core[k]}" for k in core if counters[k] != core[k])
        elif own != records[one["name"]]:
            complaint = complain_records(own, one["expect"]) or "another record than ackmon -r gives"
        if complaint:
            complaints[one["name"]] = complaint
    return complaints, refused


# ---------------------------------------------------------------- the run

class Tap:
    def __init__(self):
        self.number, self.failed = 0, False

    def line(self, good, name):
        self.number += 1
        self.failed |= not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}")

    def complain(self, complaints):
        for name, complaint in list(complaints.items())[:25]:
            print(f"# {name}: {complaint}"[:400])
        if len(complaints) > 25:
            print(f"# and {len(complaints) - 25} more")


def main():
    os.chdir(TOP)
    tap = Tap()
    done = subprocess.run([sys.executable, "tests/frames/make_frames.py", FRAMES], check=True,
                          capture_output=True, text=True)
    with open(f"{FRAMES}/cases.json", encoding="ascii") as file:
        cases = json.load(file)
    if len(sys.argv) > 1:
        cases = [one for one in cases if one["name"].startswith(tuple(sys.argv[1:]))]
    complaints, records = {}, {}
    with ThreadPoolExecutor(2) as pool:
        for one, (complaint, lines) in zip(cases, pool.map(replay, cases)):
            records[one["name"]] = lines
            if complaint:
                complaints[one["name"]] = complaint
    tap.line(not complaints, f"ackmon -r says of each what was decided ({done.stdout.strip()})")
    tap.complain(complaints)
    if os.getuid() != 0:
        tap.line(True, "the same at the kernel's doors # SKIP loading BPF programs needs root")
        print(f"1..{tap.number}")
        return tap.failed
    others = next((one["decap"] for one in cases if one["decap"].count(",") > 5 and
                   KERNEL_WORD not in one["decap"].split(",")), None)
    groups = [[one for one in cases if one["decap"] == decap]
              for decap in ("none", "all", KERNEL_WORD, others)]
    jobs = [(door, group) for door in DOORS for group in groups if group]
    # A run of an XDP program waits for every CPU to take note of it: several wait at once.
    with ThreadPoolExecutor(len(jobs)) as pool:
        answers = list(pool.map(lambda job: rehearse(*job, records), jobs))
    for door in DOORS:
        complaints, refused, run = {}, 0, 0
        for (other, group), (wrong, left_out) in zip(jobs, answers):
            if other == door:
                complaints.update(wrong)
                refused += left_out
                run += len(group) - left_out
        tap.line(not complaints, f"{door}: the same verdicts, counters and records ({run} frames, "
                                 f"{refused} too short for BPF_PROG_RUN)")
        tap.complain(complaints)
    print(f"1..{tap.number}")
    return tap.failed


if __name__ == "__main__":
    sys.exit(main())
