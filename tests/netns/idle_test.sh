#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An idle reader: wake-ups and CPU time on a silent interface; see tests/metrics/idle_test.py.
exec "$(dirname "$0")/../metrics/idle_test.py"
