#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A capture that is still being written, through a pipe that stays open: what is known is shown. Speaks TAP."""

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import time

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
ACKMON = os.environ.get("ACKMON", "build/ackmon")
BLOCKED = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
number = 0


def report(name, complaint):
    global number
    number += 1
    print(f"{'not ok' if complaint else 'ok'} {number} - {name}", flush=True)
    if complaint:
        print("# " + str(complaint).replace("\n", "\n# "), flush=True)


def start(*arguments, **how):
    return subprocess.Popen([ACKMON, "-r", "-", *arguments], **{**BLOCKED, **how})


def give(process, data):
    process.stdin.write(data)
    process.stdin.flush()


def read_for(fd, seconds, wanted=b"\n"):
    """What comes until `wanted` has, or the time is over."""
    got, end = b"", time.monotonic() + seconds
    while wanted not in got and (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            piece = os.read(fd, 65536)
            if not piece:
                break
            got += piece
    return got


def finish(process):
    out, err = process.communicate(timeout=20)
    return (out or b"").decode(), err.decode(), process.returncode


def capture(name):
    with open(f"pcaps/{name}", "rb") as file:
        return file.read()


def refused_long_ago():
    """A connection that is over, and a frame 100 s later, which says so."""
    early, late = capture("refused.pcap"), capture("handshake.pcap")
    last_s = struct.unpack_from("<I", early, 24)[0] + 100
    captured = struct.unpack_from("<I", late, 24 + 8)[0]
    return early + struct.pack("<I", last_s) + late[28:24 + 16 + captured]


def open_pipe_shows(name, data, wanted, *arguments):
    process = start(*arguments)
    give(process, data)
    got = read_for(process.stdout.fileno(), 5, wanted)
    finish(process)
    report(name, None if wanted in got else f"{wanted} did not come within 5 s, but {got!r}")


def table_comes_on_a_terminal():
    mine, its = pty.openpty()
    process = start("-H", stdout=its)
    os.close(its)
    give(process, refused_long_ago())
    got = read_for(mine, 5, b"refused")
    finish(process)
    os.close(mine)
    report("a table on a terminal", None if b"refused" in got else f"within 5 s came {got!r}")


def summary_is_printed(name, data):
    process = start("-j")
    give(process, data)
    time.sleep(0.5)
    process.send_signal(signal.SIGUSR1)
    got = read_for(process.stderr.fileno(), 5)
    finish(process)
    report(name, None if b"seen" in got else f"within 5 s came {got!r}")


def ends(name, process, code, *words):
    """Its pipe stays open: what ends it is something else."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        report(name, "it did not end within 10 s")
        return
    _, err, got = finish(process)
    missing = [word for word in words if word not in err]
    report(name, f"exit code {got}, said {err!r}" if got != code or missing else None)


def signal_ends(name, data, which, *words):
    process = start("-j")
    give(process, data)
    time.sleep(0.5)
    process.send_signal(which)
    ends(name, process, 0, *words)


def ignored_hangup_stays_ignored():
    process = start("-j", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    give(process, capture("handshake.pcap"))
    time.sleep(0.5)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    if process.poll() is not None:
        report("a hangup that nohup(1) has ignored is ignored", f"it ended: {finish(process)}")
        return
    out, err, _ = finish(process)
    report("a hangup that nohup(1) has ignored is ignored",
           None if out and "SIGHUP" not in err else f"{out!r} {err!r}")


def pieces_make_no_difference():
    """Cut anywhere, also inside of a header, packed and not: the same records."""
    complaints = []
    for path in ("requests.pcap", "two_interfaces.pcapng", "packed.pcap.gz"):
        data = capture(path)
        whole = subprocess.run([ACKMON, "-j", "-r", f"pcaps/{path}"], capture_output=True, check=False)
        process = start("-j")
        for at in range(0, len(data), step := max(7, len(data) // 150)):
            give(process, data[at:at + step])
            time.sleep(0.002)
        out, err, _ = finish(process)
        if out != whole.stdout.decode() or err != whole.stderr.decode():
            complaints.append(f"{path}: {err}")
    report("pieces of any size make no difference", "\n".join(complaints))


pieces_make_no_difference()
open_pipe_shows("events", capture("fast_retransmit.pcap"), b'"cause":"fast"', "--events")
open_pipe_shows("records of intervals", capture("requests.pcap"), b'"close":"open"', "-j", "-I", "0.001")
open_pipe_shows("a table into a pipe", refused_long_ago(), b"RETRANS")
table_comes_on_a_terminal()
summary_is_printed("SIGUSR1 is answered while nothing comes", capture("handshake.pcap"))
summary_is_printed("SIGUSR1 is answered before anything came", b"")
signal_ends("SIGINT ends it, and that is said", capture("handshake.pcap"), signal.SIGINT,
            "standard input: ended by SIGINT behind frame", "frames seen")
signal_ends("SIGINT before the first octet is no damage", b"", signal.SIGINT, "ended by SIGINT behind frame 0")
signal_ends("SIGINT inside the header is no damage", capture("handshake.pcap")[:3], signal.SIGINT, "SIGINT")
signal_ends("SIGINT inside a frame is no damage", capture("handshake.pcap")[:60], signal.SIGINT, "SIGINT")
ignored_hangup_stays_ignored()
process = start("-j", "--duration", "0.5")
give(process, capture("handshake.pcap"))
ends("--duration ends it", process, 0, "ended by --duration behind frame")
process = start("-j", "-c", "2")
give(process, capture("handshake.pcap"))
ends("-c ends it", process, 0, "2 frames seen")
print(f"1..{number}")
sys.exit(0)
