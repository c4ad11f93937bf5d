#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Kills readers of an attached interface at any moment, and looks whether a number falls meanwhile.

usage: restart_kills.py ACKMON IFACE KILLS FILE [--pipe | -I TIME]     inside the network namespace of IFACE

Records go to FILE, or through a pipe for each reader into FILE.N; stderr of the readers to FILE.err. One
in ten readers is asked to end instead, and its summary compared. Prints complaints, one a line, and last
"figures kills=N ended=N ...".
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

ackmon, iface, kills, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
by_pipe = "--pipe" in sys.argv
options = [] if by_pipe else sys.argv[5:]
random.seed(int(os.environ.get("SEED", "1")))
RISING = ("frames_seen", "frames_tracked", "flows_refused", "frames_no_room", "events_lost",
          "records_written", "records_rescued", "records_unsure")
complaints = 0
last = {}
falls = ended = 0
killed = 0
records_before = 0


def complain(text):
    global complaints
    complaints += 1
    if complaints <= 20:
        print(text, flush=True)


def status():
    out = subprocess.run([ackmon, "status", "-j", "-i", iface], capture_output=True, text=True)
    lines = out.stdout.splitlines()
    if len(lines) != 1:
        complain(f"status said {lines} {out.stderr.strip()}")
        return None
    return json.loads(lines[0])


def look(when):
    """No counter of the kernel side or of the readers together may fall."""
    global falls
    now = status()
    if now is None:
        return
    for name in RISING:
        if now[name] < last.get(name, 0):
            falls += 1
            complain(f"{when}: {name} fell from {last[name]} to {now[name]}")
        last[name] = max(now[name], last.get(name, 0))
    ids = [(program["hook"], program["mode"], program["id"]) for program in now["programs"]]
    if last.setdefault("ids", ids) != ids:
        complain(f"{when}: programs were {last['ids']}, are {ids}")


def start(number):
    errors = open(path + ".err", "ab")
    command = [ackmon, "-i", iface, "-j"] + options
    if by_pipe:
        sink = open(f"{path}.{number}", "wb")
        cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=sink)
        reader = subprocess.Popen(command, stdout=cat.stdin, stderr=errors)
        cat.stdin.close()
        return reader, cat
    return subprocess.Popen(command, stdout=open(path, "ab"), stderr=errors), None


def said_by_all():
    return open(path + ".err", errors="replace").read() if os.path.exists(path + ".err") else ""


def end(reader, number, said_before):
    """A reader that is asked to end says what the kernel counted, not what it saw itself."""
    global ended
    reader.send_signal(signal.SIGTERM)
    # Asked before it listens it just ends: a kill like any other.
    if reader.wait() not in (0, 3, -signal.SIGTERM):
        complain(f"reader {number}: exit code {reader.returncode}")
    ended += 1
    if reader.returncode == -signal.SIGTERM:
        return
    said = said_by_all()[said_before:].splitlines()
    seen = [re.match(r"ackmon: ([\d,]+) frames? seen", line) for line in said]
    seen = [int(match.group(1).replace(",", "")) for match in seen if match]
    if not seen:
        complain(f"reader {number}: ended without a summary: {said}")
        return
    if seen[-1] < last.get("frames_seen", 0):
        complain(f"reader {number}: its summary fell to {seen[-1]} from {last['frames_seen']}")


def size():
    return os.path.getsize(path) if os.path.exists(path) else 0


def wait_for_the_moment(reader):
    """From its first instruction to some polls and a sweep later, or just while it writes."""
    kind = random.randrange(4)
    if kind == 0:
        time.sleep(random.uniform(0, 0.02))
    elif kind == 1:
        time.sleep(random.uniform(0, 0.4))
    elif by_pipe:
        time.sleep(random.uniform(0.95, 1.1)) # it sweeps once a second
    else:
        before, until = size(), time.monotonic() + 1.5
        polls = kind - 1 # the second growth is more often that of a sweep
        while polls and time.monotonic() < until and reader.poll() is None:
            time.sleep(0.0001)
            if size() != before:
                before = size()
                polls -= 1


look("before")
while killed < kills:
    number = killed + ended
    said_before = len(said_by_all())
    reader, cat = start(number)
    wait_for_the_moment(reader)
    if number % 10 == 9 and random.random() < 0.9:
        time.sleep(0.05)
        end(reader, number, said_before)
    else:
        if reader.poll() is not None:
            complain(f"reader {number} ended by itself: {reader.returncode}")
        reader.kill()
        reader.wait()
        killed += 1
    if cat:
        cat.wait()
    if number % 3 == 0 or killed == kills:
        look(f"after reader {number}")
print(f"figures kills={killed} ended={ended} falls={falls} "
      + " ".join(f"{name}={last.get(name, 0)}" for name in RISING))
sys.exit(complaints != 0)
