#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Connections count in the namespace of their cgroup; see tests/metrics/owners_test.py.
exec "$(dirname "$0")/../metrics/owners_test.py"
