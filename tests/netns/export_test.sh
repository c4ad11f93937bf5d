#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The same numbers in every format, hostile labels, a collector that fails; see tests/metrics/export_test.py.
exec "$(dirname "$0")/../metrics/export_test.py"
