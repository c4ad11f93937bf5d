#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A serial cable between two network namespaces: PPP or SLIP over a pair of terminals, joined by this program.

usage: serial_pair.py ppp|slip NETNS NETNS     "ready" on stdout when ppp0 or sl0 is there twice; ends with SIGTERM

Nobody negotiates: both ends are the kernel's, and start out with the same defaults.
"""
import ctypes
import fcntl
import glob
import os
import select
import struct
import subprocess
import sys
import tty

TIOCSETD, N_SLIP, N_PPP = 0x5423, 1, 3
SIOCSIFENCAP = 0x8926
PPPIOCGCHAN, PPPIOCATTCHAN, PPPIOCCONNECT, PPPIOCNEWUNIT = 0x80047437, 0x40047438, 0x4004743A, 0xC004743E
CLONE_NEWNET = 0x40000000


def integer(fd, request, value=0):
    return struct.unpack("i", fcntl.ioctl(fd, request, struct.pack("i", value)))[0]


def enter(netns):
    with open("/run/netns/" + netns) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            sys.exit(f"{netns}: setns() refuses")


def ppp_interface(line):
    """ppp0 on this line; what has to stay open."""
    integer(line, TIOCSETD, N_PPP)
    channel, unit = (os.open("/dev/ppp", os.O_RDWR) for _ in range(2))
    integer(channel, PPPIOCATTCHAN, integer(line, PPPIOCGCHAN))
    integer(channel, PPPIOCCONNECT, integer(unit, PPPIOCNEWUNIT, -1))
    return line, channel, unit


def slip_interface(line, netns):
    """The kernel makes it in the first namespace."""
    integer(line, TIOCSETD, N_SLIP)
    integer(line, SIOCSIFENCAP, 0)
    name = os.path.basename(glob.glob("/sys/class/net/sl[0-9]*")[0])
    subprocess.run(["ip", "link", "set", name, "netns", netns, "name", "sl0"], check=True)
    return (line,)


def main():
    kind, ends = sys.argv[1], sys.argv[2:4]
    kept, wires = [], []
    for netns in ends:
        wire, line = os.openpty()
        tty.setraw(line)
        if kind == "ppp":
            enter(netns)
            kept.append(ppp_interface(line))
        else:
            kept.append(slip_interface(line, netns))
        wires.append(wire)
    print("ready", flush=True)
    while True:
        for readable in select.select(wires, [], [])[0]:
            data = os.read(readable, 4096)
            other = wires[readable == wires[0]]
            while data:
                data = data[os.write(other, data):]


if __name__ == "__main__":
    main()
