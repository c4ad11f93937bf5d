# SPDX-License-Identifier: GPL-2.0-only
"""Protobuf as bytes, and the two messages ackmon writes: Prometheus' MetricFamily, OpenTelemetry's export request.

Both become {name: {labels: value}}; labels are a frozenset of (name, value). A histogram's value is a dict with
count, sum, zero (its count) and buckets {k: count}, where bucket k ends at 2^(k/32) s.
"""
import struct


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def zigzag(value):
    return value >> 1 ^ -(value & 1)


def fields(data):
    """(number, value) of one message: int, eight raw bytes, or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = data[at:at + 8], at + 8
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            if len(value) != size:
                raise ValueError("a message ends before it should")
        else:
            raise ValueError(f"wire type {wire}")
        yield tag >> 3, value


def one(message, number, default=None):
    found = [value for field, value in fields(message) if field == number]
    return found[-1] if found else default


def every(message, number):
    return [value for field, value in fields(message) if field == number]


def double(raw):
    return struct.unpack("<d", raw)[0]


def fixed(raw):
    return struct.unpack("<Q", raw)[0]


def packed(data):
    at, values = 0, []
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


# ---------------------------------------------------------------- io.prometheus.client.MetricFamily, delimited

def native_histogram(message):
    spans = [(zigzag(one(span, 1, 0)), one(span, 2, 0)) for span in every(message, 12)]
    deltas = [zigzag(value) for value in packed(one(message, 13, b""))]
    buckets, index, count = {}, 0, 0
    for offset, length in spans:
        index += offset
        for _ in range(length):
            count += deltas.pop(0)
            buckets[index] = count
            index += 1
    if deltas or zigzag(one(message, 5, 0)) != 5 or double(one(message, 6)) != 2 ** -20:
        raise ValueError("spans and deltas differ, or another schema")
    return {"count": one(message, 1, 0), "sum": double(one(message, 2)), "zero": one(message, 7, 0), "buckets": buckets}


def prometheus(data):
    families, at = {}, 0
    while at < len(data):
        size, at = varint(data, at)
        family, at = data[at:at + size], at + size
        series = families.setdefault(one(family, 1).decode(), {})
        for metric in every(family, 4):
            labels = frozenset((one(label, 1).decode(), one(label, 2, b"").decode()) for label in every(metric, 1))
            histogram = one(metric, 7)
            if histogram is not None:
                series[labels] = native_histogram(histogram)
            else:
                series[labels] = double(one(one(metric, 3) or one(metric, 2), 1))
    return families


# ---------------------------------------------------------------- opentelemetry ExportMetricsServiceRequest

def attributes(point, number):
    return frozenset((one(pair, 1).decode(), one(one(pair, 2), 1, b"").decode()) for pair in every(point, number))


def exponential_histogram(point):
    positive = one(point, 8, b"")
    first = zigzag(one(positive, 1, 0))
    if zigzag(one(point, 6, 0)) != 5 or double(one(point, 14)) != 2 ** -20:
        raise ValueError("another scale")
    # Bucket i of OpenTelemetry is (2^(i/32), 2^((i+1)/32)].
    buckets = {first + i + 1: count for i, count in enumerate(packed(one(positive, 2, b""))) if count}
    return {"count": fixed(one(point, 4)), "sum": double(one(point, 5)), "zero": fixed(one(point, 7)), "buckets": buckets}


def otlp(data):
    families = {}
    for resource in every(data, 1):
        for scope in every(resource, 2):
            for metric in every(scope, 2):
                series = families.setdefault(one(metric, 1).decode(), {})
                for field, kind in ((5, "gauge"), (7, "sum")):
                    for point in every(one(metric, field, b""), 1):
                        series[attributes(point, 7)] = double(one(point, 4))
                for point in every(one(metric, 10, b""), 1):
                    series[attributes(point, 1)] = exponential_histogram(point)
    return families


# ---------------------------------------------------------------- text

def text(data):
    """Both texts; {name: {labels: value}} of samples, so a histogram is three names."""
    families = {}
    for line in data.decode().split("\n"):
        if not line or line.startswith("#"):
            continue
        at = 0
        while line[at] not in "{ ":
            at += 1
        name, labels = line[:at], []
        if line[at] == "{":
            at += 1
            while line[at] != "}":
                end = line.index("=", at)
                label, value, at = line[at:end], "", end + 2
                while line[at] != '"':
                    if line[at] == "\\":
                        value += {"n": "\n"}.get(line[at + 1], line[at + 1])
                        at += 2
                    else:
                        value += line[at]
                        at += 1
                labels.append((label, value))
                at += 1
                at += line[at] == ","
            at += 1
        families.setdefault(name, {})[frozenset(labels)] = float(line[at + 1:])
    return families
