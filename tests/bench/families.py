#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every family at the size tiny, on the stories and on MQAR, with one recipe and equally many tokens; a Markdown table.

    python3 tests/bench/families.py                     # on the processor, one run after the other
    python3 tests/bench/families.py --device cuda --jobs 9

Runs that are there already are not trained again. tokens/s and memory come from `pha bench`, one process at a time, after
the runs."""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys

FAMILIES = "pha pha-lean attention transformer gss gss-hybrid h3 hedgehog sequential".split()

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--pha", default="build/release/bin/pha", help="the command")
parser.add_argument("--out", default="build/families", help="folder of the runs")
parser.add_argument("--device", default="cpu")
parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
parser.add_argument("--families", default=",".join(FAMILIES))
parser.add_argument("--mqar-steps", type=int, default=2000, help="updates of 64 examples")
parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes the recipe of the MQAR runs")
parser.add_argument("--only", choices=["stories", "mqar"], help="one of the two alone")
options = parser.parse_args()
families = options.families.split(",")
tasks = [options.only] if options.only else ["stories", "mqar"]


def pha(*arguments):
    done = subprocess.run([options.pha, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"pha {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def train(job):
    family, task = job
    run = os.path.join(options.out, f"{task}-{family}")
    if os.path.exists(os.path.join(run, "checkpoints", "latest")):
        return
    extra = ["steps=" + str(options.mqar_steps), "batch_size=64", "eval_every=500"] + options.set if task == "mqar" else []
    pha("train", "--preset", family + "-tiny", "--data", task, "--run", run, "--device", options.device,
        *[word for change in extra + ["sample_every=0", "save_every=0"] for word in ("--set", change)])


with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
    list(pool.map(train, [(family, task) for task in tasks for family in families]))


def metrics(run, kind):
    with open(os.path.join(run, "metrics.jsonl")) as lines:
        return [line for line in map(json.loads, filter(str.strip, lines)) if line["type"] == kind]


def percent(share):
    return f"{100 * share:.1f} %"


rows = []
for family in families:
    row = {"family": family}
    for task in tasks:
        run = os.path.join(options.out, f"{task}-{family}")
        figures = json.loads(pha("eval", run, "--json", "--device", options.device))
        row[task] = figures["recall"]["accuracy"]
        row[task + " chance"] = figures["recall"]["chance"]
        row[task + " tokens"] = metrics(run, "step")[-1]["tokens"]
        if task == "stories":
            row["loss"], row["floor"] = figures["nll"], figures.get("floor_nll")
    report = json.loads(pha("inspect", run, "--json"))
    row["parameters"], row["cache"] = report["parameters"], report["cache_bytes_per_token"]
    row["state"] = report["fixed_state_bytes"]
    speed = json.loads(pha("bench", "--presets", family + "-tiny", "--contexts", "256", "--mode", "train", "--device",
                           options.device, "--json"))["rows"][0]
    row["speed"], row["peak"] = speed["tokens_per_second"], speed["peak_bytes"]
    rows.append(row)
    print(json.dumps(row), file=sys.stderr)

first = rows[0]
for task in tasks:
    floor = f", floor {first['floor']:.3f} nats a token" if task == "stories" and first["floor"] else ""
    print(f"{task}: {first[task + ' tokens']:,} tokens, right by chance {percent(first[task + ' chance'])}{floor}.")
print()
head = ["family", "parameters"]
if "stories" in tasks:
    head += ["stories: loss", "above the floor", "recall"]
if "mqar" in tasks:
    head += ["MQAR: answers right"]
head += ["tokens/s", "peak MiB", "cache bytes a token", "fixed state bytes"]
print("| " + " | ".join(head) + " |")
print("|" + "---|" * len(head))
for row in rows:
    cells = [row["family"], f"{row['parameters']:,}"]
    if "stories" in tasks:
        above = f"{row['loss'] - row['floor']:.3f}" if row["floor"] else ""
        cells += [f"{row['loss']:.3f}", above, percent(row["stories"])]
    if "mqar" in tasks:
        cells += [percent(row["mqar"])]
    cells += [f"{row['speed']:,.0f}", f"{row['peak'] / 2**20:.0f}", f"{row['cache']:,}", f"{row['state']:,}"]
    print("| " + " | ".join(cells) + " |")
