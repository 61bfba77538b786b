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
import time

FAMILIES = "pha pha-lean attention transformer gss gss-hybrid h3 hedgehog sequential".split()

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--pha", default="build/release/bin/pha", help="the command")
parser.add_argument("--out", default="build/families", help="folder of the runs")
parser.add_argument("--device", default="cpu")
parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
parser.add_argument("--families", default=",".join(FAMILIES))
parser.add_argument("--stories-steps", type=int, default=380, help="updates of 8 x 256 tokens")
parser.add_argument("--mqar-steps", type=int, default=2000, help="updates of 64 examples")
parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes the recipe of the MQAR runs")
parser.add_argument("--only", choices=["stories", "mqar"], help="one of the two alone")
parser.add_argument("--figures", metavar="FILE", help="take what the runs learned from this file, written by another machine")
options = parser.parse_args()
families = options.families.split(",")
tasks = [options.only] if options.only else ["stories", "mqar"]


def pha(*arguments):
    done = subprocess.run([options.pha, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"pha {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def learn(job):
    """Trains a run unless it is there, and reads what it learned."""
    family, task = job
    run = os.path.join(options.out, f"{task}-{family}")
    if not os.path.exists(os.path.join(run, "checkpoints", "latest")):
        if task == "mqar":
            extra = [f"steps={options.mqar_steps}", *options.set]
        else:
            extra = [f"steps={options.stories_steps}"]
        pha("train", "--preset", family + "-tiny", "--data", task, "--run", run, "--device", options.device,
            *[word for change in extra + ["sample_every=0", "save_every=0"] for word in ("--set", change)])
    with open(os.path.join(run, "metrics.jsonl")) as lines:
        steps = [line for line in map(json.loads, filter(str.strip, lines)) if line["type"] == "step"]
    evaluation = json.loads(pha("eval", run, "--json", "--device", options.device))
    figures = {"tokens": steps[-1]["tokens"], "recall": evaluation["recall"]["accuracy"],
               "chance": evaluation["recall"]["chance"], "loss": evaluation["nll"], "floor": evaluation["floor_nll"]}
    if task == tasks[0]:
        report = json.loads(pha("inspect", run, "--json", "--device", options.device))
        figures.update(parameters=report["parameters"], cache=report["cache_bytes_per_token"],
                       state=report["fixed_state_bytes"])
    print(f"{time.time() - begin:.0f} s: {task}, {family}: {figures['recall']:.3f}", file=sys.stderr, flush=True)
    return figures


begin = time.time()
if options.figures:
    with open(options.figures) as file:
        learned = json.load(file)
else:
    jobs = [(family, task) for task in tasks for family in families]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        learned = {f"{task}-{family}": figures for (family, task), figures in zip(jobs, pool.map(learn, jobs))}
    with open(os.path.join(options.out, "figures.json"), "w") as file:
        json.dump(learned, file, indent=1)


def percent(share):
    return f"{100 * share:.1f} %"


rows = []
for family in families:
    speed = json.loads(pha("bench", "--presets", family + "-tiny", "--contexts", "256", "--mode", "train", "--device",
                           options.device, "--json"))["rows"][0]
    row = {task: learned[f"{task}-{family}"] for task in tasks}
    rows.append((family, row, speed))

for task in tasks:
    figures = rows[0][1][task]
    floor = f", floor {figures['floor']:.3f} nats a token" if task == "stories" else ""
    print(f"{task}: {figures['tokens']:,} tokens, right by chance {percent(figures['chance'])}{floor}.")
print()
head = ["family", "parameters"]
if "stories" in tasks:
    head += ["stories: loss", "above the floor", "recall"]
if "mqar" in tasks:
    head += ["MQAR: answers right"]
head += ["tokens/s", "peak MiB", "cache bytes a token", "fixed state bytes"]
print("| " + " | ".join(head) + " |")
print("|" + "---|" * len(head))
for family, row, speed in rows:
    shape = row[tasks[0]]
    cells = [family, f"{shape['parameters']:,}"]
    if "stories" in tasks:
        told = row["stories"]
        cells += [f"{told['loss']:.3f}", f"{told['loss'] - told['floor']:.3f}", percent(told["recall"])]
    if "mqar" in tasks:
        cells += [percent(row["mqar"]["recall"])]
    cells += [f"{speed['tokens_per_second']:,.0f}", f"{speed['peak_bytes'] / 2**20:.0f}", f"{shape['cache']:,}",
              f"{shape['state']:,}"]
    print("| " + " | ".join(cells) + " |")
