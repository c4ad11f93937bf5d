#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds the records of recorded captures against what the kernels themselves said (TCP_INFO).

usage: kernel_truth.py ACKMON [FIRST_TEST_NUMBER]

pcaps/NAME.tcp_info.csv has one line an end and connection. Captures taken at the client, before the loss,
are exact: what we saw repeated is what the kernel sent again.
"""

import csv
import glob
import json
import os
import subprocess
import sys

AT_SERVER = {"recovered", "random_loss_receiver", "reorder", "duplicate", "late"}
# The network itself added or overtook: what fills a hole, or comes twice, was not sent again.
NOT_SENT_AGAIN = {"reorder", "duplicate"}
OUTCOMES = {"done": "established", "refused": "refused", "timeout": "no_answer",
            "unreachable": "unreachable"}
# connect() returns after the SYN-ACK passed the interface, and looks up the neighbour before the SYN:
# 6-60 us on an idle machine. A busy one may be scheduled away in between.
CONNECT_SLACK_US = 2000


def number(text):
    return int(text) if text else None


def records_of(ackmon, capture):
    run = subprocess.run([ackmon, "-j", "-r", capture], capture_output=True, text=True, check=True)
    return sorted((json.loads(line) for line in run.stdout.splitlines()),
                  key=lambda record: record["start_ns"])


def ends_of(path):
    """The connections in the order they were made; server lines wait for their client's port."""
    with open(path, newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["end"] != "end"]
    clients = [line for line in lines if line["end"] == "client"]
    servers = [line for line in lines if line["end"] == "server"]
    for client in clients:
        server = next((s for s in servers if s["client_port"] == client["client_port"]), None)
        if server:
            servers.remove(server)
        yield client, server


class Differences(list):
    def expect(self, what, ours, kernel):
        if kernel is not None and ours != kernel:
            self.append(f"{what}: ours {ours}, the kernel's {kernel}")


def compare_connect(differences, record, client):
    connect_us = number(client["connect_us"])
    if connect_us is None or "connect_ns" not in record:
        return
    longer_us = connect_us - record["connect_ns"] / 1000
    if not 0 <= longer_us <= CONNECT_SLACK_US:
        differences.append(f"connect() took {longer_us:.0f} us longer than connect_ns")


def compare_client(differences, record, client):
    differences.expect("outcome", record["outcome"], OUTCOMES[client["outcome"]])
    differences.expect("retransmitted segments", record["opener_retransmitted_segments"],
                       number(client["total_retrans"]))
    differences.expect("retransmitted bytes", record["opener_retransmitted_bytes"],
                       number(client["bytes_retrans"]))
    # TCP_INFO is read before the socket is closed, which is what sends the RST.
    resets = "R" in record["opener_flags"]
    differences.expect("segments", record["opener_segments"] - resets, number(client["segs_out"]))
    differences.expect("payload bytes", record["opener_payload_bytes"],
                       number(client["bytes_sent"]))
    compare_connect(differences, record, client)


def compare_server(differences, record, client, server, is_exact):
    """What arrived here arrived there; behind the loss repeats fill holes instead."""
    if server:
        # The kernel counts the FIN as one byte received.
        received = number(server["bytes_received"])
        if record["opener_unique_bytes"] not in (received, received - 1):
            differences.expect("unique bytes", record["opener_unique_bytes"], received)
    if not is_exact:
        return
    # "late": the original, behind the repeat that had already taken its place here.
    seen_again = sum(record[f"opener_{name}"] for name in
                     ("retransmitted_segments", "recovered_segments", "unresolved", "late"))
    differences.expect("repeats, recovered and late ones", seen_again,
                       number(client["total_retrans"]))
    differences.expect("unresolved", record["opener_unresolved"], 0)


def compare_capture(ackmon, name):
    differences = Differences()
    ends = list(ends_of(f"pcaps/{name}.tcp_info.csv"))
    records = records_of(ackmon, f"pcaps/{name}.pcap")
    by_port = {}
    for record in records:
        by_port.setdefault(record["opener_port"], []).append(record)
    for client, server in ends:
        if not client["client_port"]:
            continue
        mine = by_port.get(int(client["client_port"]), [])
        if not mine:
            differences.append(f"no record of client port {client['client_port']}")
            continue
        record = mine.pop(0)
        if name in AT_SERVER:
            compare_server(differences, record, client, server, name not in NOT_SENT_AGAIN)
        elif name == "one_sided":
            differences.expect("retransmitted segments", record["opener_retransmitted_segments"],
                               number(client["total_retrans"]))
        else:
            compare_client(differences, record, client)
    if sum(map(len, by_port.values())):
        differences.append("more records than connections")
    return differences


def main():
    ackmon = sys.argv[1]
    test = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    for path in sorted(glob.glob("pcaps/*.tcp_info.csv")):
        name = os.path.basename(path).removesuffix(".tcp_info.csv")
        differences = compare_capture(ackmon, name)
        print(f"{'not ok' if differences else 'ok'} {test} - the kernel agrees: {name}")
        for difference in differences:
            print(f"# {difference}")
        test += 1


if __name__ == "__main__":
    main()
