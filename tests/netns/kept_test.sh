#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Programs that stay count while nobody reads; see tests/metrics/kept_test.py.
exec "$(dirname "$0")/../metrics/kept_test.py" 2
