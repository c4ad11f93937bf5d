#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A cable of IP packets: a tun interface in each of two network namespaces, joined by this program.

usage: tun_pair.py NAME NETNS NETNS      "ready" on stdout when both are there; ends with SIGTERM
"""
import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000


def open_tun(name, netns):
    with open('/run/netns/' + netns) as file:
        if libc().setns(file.fileno(), CLONE_NEWNET):
            sys.exit('%s: setns() refuses' % netns)
    tun = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def libc():
    import ctypes
    return ctypes.CDLL(None, use_errno=True)


def main():
    ends = [open_tun(sys.argv[1], netns) for netns in sys.argv[2:4]]
    print('ready', flush=True)
    while True:
        for readable in select.select(ends, [], [])[0]:
            packet = os.read(readable, 65536)
            try:
                os.write(ends[readable == ends[0]], packet)
            except OSError:  # the other end is not up yet
                pass


if __name__ == '__main__':
    main()
