#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Markdown table of `pha bench --json` documents and of torch_twin.py's lines. The first row is what the ratios divide by.

    python3 tests/bench/table.py run.json twin.jsonl
"""
import json
import sys


def rows(path):
    text = open(path).read()
    try:
        document = json.loads(text)
    except json.JSONDecodeError:  # one JSON object a line
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return document["rows"] if "rows" in document else [document]


def name(row):
    if "preset" in row:
        return row["preset"]
    how = {None: "eager", False: "eager"}.get(row.get("compiled"), "torch.compile, " + str(row.get("compiled")))
    if "pha" in row["model"]:
        how += f", {row.get('convolution')} {'tf32' if row.get('fp32_products') == 'high' else 'fp32'}"
    return f"{row['model']}, PyTorch ({how}, {row['attention'].split('_')[0].lower()} attention)"


all_rows = [row for path in sys.argv[1:] for row in rows(path) if "tokens_per_second" in row]
if all_rows:
    first = all_rows[0]
    print("| model | mode | context | batch | tokens/s | spread | peak GiB | of GEMM, writing: of memory | speed | memory |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for r in all_rows:
        share = r.get("read_share" if r["mode"] == "decode" else "gemm_share")
        share = f"{100 * share:.1f} %" if share is not None else ""
        print(f"| {name(r)} | {r['mode']} | {r['context']} | {r['batch']} | {r['tokens_per_second']:.0f} "
              f"| {100 * r['spread']:.1f} % | {r['peak_bytes'] / 2**30:.2f} | {share} "
              f"| {r['tokens_per_second'] / first['tokens_per_second']:.2f} | {r['peak_bytes'] / first['peak_bytes']:.2f} |")
