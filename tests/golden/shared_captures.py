#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Replays the third-party captures that lie in ../shared, and holds the result against their truth.

usage: shared_captures.py ACKMON [FIRST_TEST_NUMBER]

Nothing may crash; repeats and openings agree with the exact reference where both see a flow; of the
recorded transfers, what each end sent again is what its kernel said. Skips where there is no ../shared.
"""

import csv
import glob
import io
import json
import os
import re
import subprocess
import sys

SHARED = "../shared"
PRECISION_MIN, RECALL_MIN, HANDSHAKES_MIN = 0.995, 0.97, 0.99
test = 0


def report(name, complaints):
    global test
    test += 1
    print(f"{'not ok' if complaints else 'ok'} {test} - shared captures: {name}")
    for complaint in complaints[:10]:
        print(f"# {complaint}")


def replay(ackmon, path):
    return subprocess.run([ackmon, "-j", "-r", path], capture_output=True, text=True, timeout=60)


def rows_of(name, records, header):
    command = [f"{SHARED}/tools/ackmon_rows.py", "--file", name] + ([] if header else ["--no-header"])
    return subprocess.run(["python3"] + command, input=records, capture_output=True, text=True,
                          check=True).stdout


def score(rows, complaints):
    path = os.environ.get("TMPDIR", "/tmp") + f"/ackmon-rows-{os.getpid()}.csv"
    with open(path, "w") as file:
        file.write(rows)
    try:
        said = subprocess.run(["python3", f"{SHARED}/tools/score.py",
                               f"{SHARED}/captures/truth/oracle.csv", path],
                              capture_output=True, text=True, check=True).stdout
    finally:
        os.remove(path)
    precision, recall = map(float, re.search(r"precision ([\d.]+) recall ([\d.]+)", said).groups())
    handshakes = float(re.search(r"given \d+ \(([\d.]+)\)", said).group(1))
    for what, value, least in (("precision", precision, PRECISION_MIN),
                               ("recall", recall, RECALL_MIN),
                               ("handshakes", handshakes, HANDSHAKES_MIN)):
        if value < least:
            complaints.append(f"{what} {value}, at least {least} is wanted")
    return f"precision {precision}, recall {recall}, handshakes {handshakes}"


def check_public(ackmon):
    crashes, complaints, rows = [], [], io.StringIO()
    for path in sorted(glob.glob(f"{SHARED}/captures/public/*")):
        run = replay(ackmon, path)
        if run.returncode not in (0, 1, 3) or not run.stderr:
            crashes.append(f"{os.path.basename(path)}: exit code {run.returncode}")
        # The first one writes the header.
        rows.write(rows_of(os.path.basename(path), run.stdout, not rows.tell()))
    report("every public one ends well", crashes)
    said = score(rows.getvalue(), complaints)
    report(f"the exact reference agrees ({said})", complaints)


def compare_live(found, truth, capture, complaints):
    """a was taken at the client, b at the server: each sees all that its own end sent."""
    side, end = {"a": ("c", "opener"), "b": ("s", "responder")}[capture]
    compared = 0
    for line in truth:
        if not line[f"{side}_total_retrans"]:
            continue
        # A port used again: the connections are in the order they were made.
        mine = found.get((line["client"], int(line["cport"])), [])
        if not mine:
            complaints.append(f"port {line['cport']}: no record in {capture}")
            continue
        compared += 1
        ours = mine.pop(0)[f"{end}_retransmitted_segments"]
        if ours != int(line[f"{side}_total_retrans"]):
            complaints.append(f"port {line['cport']}: {end} {ours}, its kernel "
                              f"{line[f'{side}_total_retrans']}")
    return compared


def check_live(ackmon, directory):
    complaints, compared = [], 0
    with open(f"{directory}/truth.csv", newline="") as file:
        truth = list(csv.DictReader(file))
    for capture in ("a", "b"):
        path = next(iter(glob.glob(f"{directory}/{capture}.pcap*")))
        found = {}
        for record in map(json.loads, replay(ackmon, path).stdout.splitlines()):
            key = (record["opener_addr"], record["opener_port"])
            found.setdefault(key, []).append(record)
        for records in found.values():
            records.sort(key=lambda record: record["start_ns"])
        compared += compare_live(found, truth, capture, complaints)
    if not compared:
        complaints.append("no connection could be compared: the test proved nothing")
    report(f"the kernels agree: {os.path.basename(directory)} ({compared} ends)", complaints)


def main():
    global test
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    test = int(sys.argv[2]) - 1 if len(sys.argv) > 2 else 0
    if not os.path.isdir(f"{SHARED}/captures"):
        print(f"ok {test + 1} - shared captures # SKIP no ../shared beside this tree")
        return
    check_public(sys.argv[1])
    for directory in sorted(glob.glob(f"{SHARED}/captures/live/*")):
        check_live(sys.argv[1], directory)


if __name__ == "__main__":
    main()
