#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A real Prometheus scrapes a live ackmon; see tests/metrics/metrics_test.py.
exec "$(dirname "$0")/../metrics/metrics_test.py"
