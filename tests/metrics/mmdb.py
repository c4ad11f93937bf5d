# SPDX-License-Identifier: GPL-2.0-only
"""Writes a small MaxMind database (format 2.0): networks with their records, as libmaxminddb reads them."""
import ipaddress
import struct

UINT16, UINT32, UINT64 = 5, 6, 9


def control(kind, size):
    """Sizes from 29 on take more bytes; types from 8 on are in the byte after."""
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29])) if size < 285 else (30, struct.pack("!H", size - 285))
    if kind < 8:
        return bytes([kind << 5 | first]) + more
    return bytes([first, kind - 7]) + more


def encode(value):
    if isinstance(value, str):
        return control(2, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(encode(item) for item in value)
    kind, value = value if isinstance(value, tuple) else (UINT32, value)
    number = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(number)) + number


def write(path, networks, version=6, name="Test"):
    """networks: {"203.0.113.0/24": {...}}; the longer ones lie within the shorter."""
    data, places, nodes = b"", {}, [[None, None]]
    for text, record in sorted(networks.items(), key=lambda item: ipaddress.ip_network(item[0]).prefixlen):
        network = ipaddress.ip_network(text)
        bits = bin(int(network.network_address) | 1 << network.max_prefixlen)[3:][:network.prefixlen]
        if network.version == 4 and version == 6:
            bits = "0" * 96 + bits
        encoded = encode(record)
        if encoded not in places:
            places[encoded] = len(data)
            data += encoded
        at = 0
        for bit in map(int, bits[:-1]):
            if not isinstance(nodes[at][bit], list):
                nodes.append([nodes[at][bit], nodes[at][bit]])  # what was said of all is said of both halves
                nodes[at][bit] = [len(nodes) - 1]
            at = nodes[at][bit][0]
        nodes[at][int(bits[-1])] = places[encoded]
    tree = b"".join(struct.pack("!I", len(nodes) if item is None else item[0] if isinstance(item, list)
                                else len(nodes) + 16 + item) for node in nodes for item in node)
    metadata = {"binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
                "build_epoch": (UINT64, 1700000000), "database_type": name, "description": {"en": name},
                "ip_version": (UINT16, version), "languages": ["en"], "node_count": len(nodes),
                "record_size": (UINT16, 32)}
    with open(path, "wb") as file:
        file.write(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(metadata))
