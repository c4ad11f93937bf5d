#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A collector for tests: keeps the last OTLP request, and answers what a file says.

usage: receiver.py PORT FOLDER     FOLDER/status: 200, 503, ... or "hang"; FOLDER/request: the last body
"""
import http.server
import os
import sys
import threading

FOLDER = sys.argv[2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1" # one connection for all pushes, as collectors have it

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = open(os.path.join(FOLDER, "status")).read().strip()
        if status == "hang":
            threading.Event().wait()
        if self.path == "/v1/metrics" and self.headers["Content-Type"] == "application/x-protobuf":
            with open(os.path.join(FOLDER, "request.new"), "wb") as file:
                file.write(body)
            os.rename(os.path.join(FOLDER, "request.new"), os.path.join(FOLDER, "request"))
        self.send_response(int(status))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


print("ready", flush=True)
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
