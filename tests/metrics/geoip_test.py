#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Regions from a MaxMind database, autonomous systems from another, and a label file that goes before both.

usage: geoip_test.py      speaks TAP; reads captures it writes itself
"""
import json
import struct

from lab import *
import inject
import mmdb

PLACES = {"198.51.100.0/24": {"country": {"iso_code": "DE"}, "subdivisions": [{"iso_code": "BY"}]},
          "198.51.100.128/25": {"country": {"iso_code": "DE"}, "subdivisions": [{"iso_code": "HH"}]},
          "203.0.113.0/24": {"country": {"iso_code": "JP"}},
          "192.0.2.0/24": {"registered_country": {"iso_code": "US"}},
          "2001:db8::/32": {"continent": {"code": "EU"}}}
SYSTEMS = {"198.51.100.0/25": {"autonomous_system_number": 64500, "autonomous_system_organization": "Somebody"},
           "203.0.112.0/20": {"autonomous_system_number": 4200000001}}


def write_capture(ends):
    with open(path("ends.pcap"), "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, end in enumerate(ends):
            for at, frame in enumerate(inject.connection("10.0.0.1", end, 2000 + i)):
                file.write(struct.pack("<IIII", i, at * 1000, len(frame), len(frame)) + frame)


def labels_of(*options):
    result = run(ACKMON, "-n", "-q", "-r", path("ends.pcap"), "-j", "-e",
                 "responder_addr,responder_namespace,responder_region,responder_external", *options)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["responder_addr"]: (row.get("responder_namespace", ""), row.get("responder_region", ""),
                                    row["responder_external"]) for row in rows}, result.stderr


def main():
    write_capture(["198.51.100.1", "198.51.100.200", "203.0.113.9", "192.0.2.7", "203.0.112.3", "10.0.0.2", "8.8.8.8"])
    places = {"198.51.100.1": ("", "DE-BY", True), "198.51.100.200": ("", "DE-HH", True), "203.0.113.9": ("", "JP", True),
              "192.0.2.7": ("", "US", True), "203.0.112.3": ("", "", True), "10.0.0.2": ("", "", False),
              "8.8.8.8": ("", "", True)}
    for version in (4, 6):
        mmdb.write(path("places.mmdb"), {net: what for net, what in PLACES.items() if version == 6 or ":" not in net}, version)
        mmdb.write(path("systems.mmdb"), SYSTEMS, version)
        got, error = labels_of("--geoip", path("places.mmdb"))
        report(got == places, f"countries and subdivisions, tree of IPv{version}", got, error)
        got, error = labels_of("--geoip", path("systems.mmdb"), "--geoip", path("places.mmdb"))
        both = places | {"198.51.100.1": ("AS64500", "DE-BY", True), "203.0.113.9": ("AS4200000001", "JP", True),
                         "203.0.112.3": ("AS4200000001", "", True)}
        report(got == both, f"autonomous systems beside them, whichever network is the larger, tree of IPv{version}",
               got, error)
    with open(path("labels.csv"), "w") as file:
        file.write("prefix,namespace,region,external\n198.51.100.0/24,dmz,muc,no\n203.0.113.9,shop,tyo,no\n")
    got, error = labels_of("--geoip", path("places.mmdb"), "--labels", path("labels.csv"))
    report(got == places | {"198.51.100.1": ("dmz", "muc", False), "198.51.100.200": ("dmz", "muc", False),
                            "203.0.113.9": ("shop", "tyo", False)}, "what the label file says goes before", got, error)
    with open(path("bad.mmdb"), "wb") as file:
        file.write(open(path("places.mmdb"), "rb").read()[:-40])
    got, error = labels_of("--geoip", path("bad.mmdb"))
    report(not got and "bad.mmdb: not a MaxMind database" in error, "a damaged database is named", error)
    got, error = labels_of("--geoip", path("none.mmdb"))
    report(not got and "none.mmdb" in error and "No such file" in error, "one that is not there is named", error)
    mmdb.write(path("loop.mmdb"), PLACES)
    with open(path("loop.mmdb"), "r+b") as file:
        file.write(bytes(8))  # the root leads to itself
    got, error = labels_of("--geoip", path("loop.mmdb"))
    report(not got and "damaged" in error, "a tree without an end is found out", error)
    end()


main()
