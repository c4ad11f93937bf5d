#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looks at the records of pressure_test.sh: one line on stdout for each thing that is wrong."""
import csv
import sys


def real_records(path, opener):
    with open(path, newline="") as file:
        return [row for row in csv.DictReader(file) if row["opener_addr"] == opener]


def real(path, opener, expected):
    """As many connections of this host as were made, and each of them measured and over."""
    rows = real_records(path, opener)
    last = {row["opener_port"]: number for number, row in enumerate(rows)}
    if len(rows) != int(expected):
        print(f"{len(rows)} records of {opener}, {expected} connections were made")
    for number, row in enumerate(rows):
        if row["outcome"] != "established":
            print("outcome", row["outcome"], row)
        elif not row["connect_ns"]:
            print("no connect_ns", row)
        elif not row["responder_handshake_ns"] and row["syn_retrans"] == "0":
            print("no responder_handshake_ns", row)
        elif not row["opener_handshake_ns"] and row["synack_retrans"] == "0":
            print("no opener_handshake_ns", row)
        elif row["opener_payload_bytes"] == "0":
            print("no request", row)
        elif row["state"] != "closed":
            print("state", row["state"], row)
        # The kernel may give a port again at once; then another connection of it must follow.
        elif row["close"] not in ("fin", "rst") and not (row["close"] == "reused" and last[row["opener_port"]] > number):
            print("close", row["close"], row)


def figures(path, opener):
    rows = real_records(path, opener)
    measured = sum(bool(row["connect_ns"]) for row in rows)
    connect = sorted(int(row["connect_ns"]) for row in rows if row["connect_ns"])
    p50 = connect[len(connect) // 2] // 1000 if connect else 0
    print(f"{measured} of {len(rows)} measured, half of them within {p50} us")


def count(path):
    with open(path, newline="") as file:
        print(sum(1 for _ in file) - 1)


def each(path, opener, client):
    """Between two lines of one lasting connection every other one stands exactly once."""
    with open(client, newline="") as file:
        ports = {row["client_port"] for row in csv.DictReader(file)}
    stream, missing = [], set(ports)
    for row in real_records(path, opener):
        if row["opener_port"] not in ports:
            continue
        if row["close"] != "open":
            break # from here on they leave
        if not missing:
            stream.append(row["opener_port"])
        missing.discard(row["opener_port"])
    marks = [i for i, port in enumerate(stream) if port == min(ports)]
    rounds = [stream[first:last] for first, last in zip(marks, marks[1:])]
    if len(rounds) < 3:
        print(f"only {len(rounds)} intervals are whole, {len(missing)} connections were never shown")
    for number, shown in enumerate(rounds):
        if len(shown) != len(ports) or set(shown) != ports:
            print(f"interval {number}: {len(shown)} lines of {len(set(shown))} connections, not {len(ports)}")
    print(f"figures {len(rounds)} intervals, {len(ports)} connections in each", file=sys.stderr)


def total(expected, *parts):
    """NAME=NUMBER each: together they are what is expected."""
    if sum(int(part.split("=")[1]) for part in parts) != int(expected):
        print(f"{expected} were to be accounted for: {' '.join(parts)}")


if __name__ == "__main__":
    {"real": real, "figures": figures, "count": count, "each": each,
     "sum": total}[sys.argv[1]](*sys.argv[2:])
