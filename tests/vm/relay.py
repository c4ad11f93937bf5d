#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""An HTTP proxy that listens in one network namespace and connects from that it was started in.

usage: relay.py NAMESPACE ADDRESS PORT      says "ready" when it listens; ends on SIGTERM

Only GET of http:// is relayed: what apt asks of a mirror."""

import ctypes
import socket
import socketserver
import sys
import urllib.parse

CLONE_NEWNET = 0x40000000


def listen_in(namespace, address):
    """A listening socket stays where it was made, wherever its process goes."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open("/run/netns/" + namespace) as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), namespace)
        server = socketserver.ThreadingTCPServer(address, Request)
        if libc.setns(home.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "the way back")
    return server


class Request(socketserver.StreamRequestHandler):
    def handle(self):
        """One request and its answer; the mirror closes, and so do we."""
        words = self.rfile.readline().split()
        if len(words) != 3:
            return
        url = urllib.parse.urlsplit(words[1].decode())
        head = [b"%s %s HTTP/1.1" % (words[0], (url.path + ("?" + url.query if url.query else "")).encode())]
        while True:
            line = self.rfile.readline().rstrip()
            if not line:
                break
            if not line.lower().startswith((b"connection:", b"proxy-connection:")):
                head.append(line)
        if words[0] != b"GET" or url.scheme != "http":
            self.wfile.write(b"HTTP/1.1 501 only GET of http\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with socket.create_connection((url.hostname, url.port or 80), timeout=60) as mirror:
            mirror.sendall(b"\r\n".join(head + [b"Connection: close", b"", b""]))
            while True:
                data = mirror.recv(1 << 16)
                if not data:
                    return
                self.wfile.write(data)


if __name__ == "__main__":
    name, host, port = sys.argv[1:]
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    relay = listen_in(name, (host, int(port)))
    relay.handle_error = lambda request, client: None
    print("ready", flush=True)
    relay.serve_forever()
