#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums the kernel times of `ncu --metrics gpu__time_duration.sum --csv` by kernel name, most expensive first."""
import collections
import csv
import re
import sys

UNITS = {"ns": 1e-6, "nsecond": 1e-6, "us": 1e-3, "usecond": 1e-3, "ms": 1, "msecond": 1}
lines = [line for line in open(sys.argv[1]) if line.startswith('"')]
time, count = collections.Counter(), collections.Counter()
for row in csv.DictReader(lines):
    name = re.sub(r"\(anonymous namespace\)|<unnamed>|void |at::native::", "", row["Kernel Name"])[:90]
    time[name] += float(row["Metric Value"].replace(",", "")) * UNITS[row["Metric Unit"]]
    count[name] += 1
print(f"{sum(time.values()):9.3f} ms in {sum(count.values())} kernels")
for name, ms in time.most_common(28):
    print(f"{ms:9.3f} ms {count[name]:5d} x {name}")
