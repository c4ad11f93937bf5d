#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# nginx and wrk over a veth, at what the machine can do; see tests/metrics/churn_test.py.
exec "$(dirname "$0")/../metrics/churn_test.py" 2 2
