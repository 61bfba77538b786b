#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every family at the size tiny, on the stories and on MQAR, with equally many tokens; a Markdown table.

    python3 tests/bench/families.py                     # on the processor, one run after the other, one recipe
    python3 tests/bench/families.py --device cuda --jobs 12 --seeds 3 --rates 0.25,0.5,1,2

With several rates (multiples of the recipe's) each family shows what it learned at the one that is best for it: whose
mean validation loss is lowest. Runs that are there already are not trained again. tokens/s and memory come from `pha
bench`, one process at a time, after the runs."""
import argparse
import concurrent.futures
import json
import os
import shutil
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
parser.add_argument("--seeds", type=int, default=1, help="runs of each, with seeds 1, 2, ...")
parser.add_argument("--rates", default="1", help="multiples of the recipe's learning rates")
parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes the recipe of the MQAR runs")
parser.add_argument("--only", choices=["stories", "mqar"], help="one of the two alone")
parser.add_argument("--figures", metavar="FILE", help="take what the runs learned from this file, written by another machine")
options = parser.parse_args()
families = options.families.split(",")
rates = [float(rate) for rate in options.rates.split(",")]
tasks = [options.only] if options.only else ["stories", "mqar"]


def pha(*arguments, codes=(0,)):
    done = subprocess.run([options.pha, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in codes:
        raise SystemExit(f"pha {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def changes(family, task, rate, seed):
    """Of the recipe, as --set takes them."""
    recipe = json.loads(pha("train", "--preset", family + "-tiny", "--data", task, "--dry-run", "--json"))["config"]["training"]
    steps = options.mqar_steps if task == "mqar" else options.stories_steps
    every = [f"{name}={rate * recipe[name]:g}" for name in ("learning_rate", "muon_learning_rate")]
    return every + [f"seed={seed}", f"steps={steps}", "sample_every=0", "save_every=0"] + (
        options.set if task == "mqar" else [])


def events_of(run):
    """The last event of each type."""
    try:
        with open(os.path.join(run, "metrics.jsonl")) as lines:
            return {event["type"]: event for event in map(json.loads, filter(str.strip, lines))}
    except FileNotFoundError:
        return {}


def learn(job):
    """Trains a run unless it is there, and reads what it learned. None: it diverged."""
    family, task, rate, seed = job
    run = os.path.join(options.out, f"{task}-{family}-{rate:g}-{seed}")
    if events_of(run).get("status", {}).get("state") not in ("finished", "diverged"):
        shutil.rmtree(run, ignore_errors=True)  # cut off by whoever ended this script
        pha("train", "--preset", family + "-tiny", "--data", task, "--run", run, "--device", options.device,
            *[word for change in changes(*job) for word in ("--set", change)], codes=(0, 4))
    events = events_of(run)
    if events["status"]["state"] == "diverged":
        print(f"{time.time() - begin:.0f} s: {task}, {family}, rate x {rate:g}, seed {seed}: diverged", file=sys.stderr, flush=True)
        return None
    evaluation = json.loads(pha("eval", run, "--json", "--device", options.device))
    print(f"{time.time() - begin:.0f} s: {task}, {family}, rate x {rate:g}, seed {seed}: "
          f"{evaluation['nll']:.3f} {evaluation['recall']['accuracy']:.3f}", file=sys.stderr, flush=True)
    result = {"family": family, "task": task, "rate": rate, "seed": seed, "tokens": events["step"]["tokens"],
              "valid": events["eval"]["nll"], "loss": evaluation["nll"], "floor": evaluation["floor_nll"],
              "recall": evaluation["recall"]["accuracy"], "chance": evaluation["recall"]["chance"]}
    if task == tasks[0] and seed == 1:
        report = json.loads(pha("inspect", run, "--json", "--device", options.device))
        result["shape"] = {name: report[name] for name in ("parameters", "cache_bytes_per_token", "fixed_state_bytes")}
    return result


begin = time.time()
if options.figures:
    with open(options.figures) as file:
        learned = json.load(file)
else:
    jobs = [(family, task, rate, seed + 1) for task in tasks for family in families for rate in rates
            for seed in range(options.seeds)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        learned = [run for run in pool.map(learn, jobs) if run]
    with open(os.path.join(options.out, "figures.json"), "w") as file:
        json.dump(learned, file, indent=1)


def best(family, task):
    """The runs of all seeds at the rate whose mean validation loss is lowest; one at which a run diverged is none."""
    by_rate = {}
    for run in learned:
        if run["family"] == family and run["task"] == task:
            by_rate.setdefault(run["rate"], []).append(run)
    whole = [runs for runs in by_rate.values() if len(runs) == max(map(len, by_rate.values()))]
    return min(whole, key=lambda runs: sum(run["valid"] for run in runs) / len(runs))


def mean(runs, name, form):
    """With what lies outside it, where there are several."""
    values = [run[name] for run in runs]
    text = form(sum(values) / len(values))
    return text if len(values) == 1 else f"{text} ({form(min(values))} ... {form(max(values))})"


def percent(share):
    return f"{100 * share:.1f} %"


rows = []
for family in families:
    shape = next(run["shape"] for run in learned if run["family"] == family and "shape" in run)
    speed = json.loads(pha("bench", "--presets", family + "-tiny", "--contexts", "256", "--mode", "train", "--device",
                           options.device, "--json"))["rows"][0]
    rows.append((family, {task: best(family, task) for task in tasks}, shape, speed))

for task in tasks:
    figures = rows[0][1][task][0]
    floor = f", floor {figures['floor']:.3f} nats a token" if task == "stories" else ""
    print(f"{task}: {figures['tokens']:,} tokens, right by chance {percent(figures['chance'])}{floor}.")
print()
head = ["family", "parameters"]
if "stories" in tasks:
    head += ["stories: loss", "above the floor", "recall", "rate"]
if "mqar" in tasks:
    head += ["MQAR: answers right", "rate"]
head += ["tokens/s", "peak MiB", "cache bytes a token", "fixed state bytes"]
print("| " + " | ".join(head) + " |")
print("|" + "---|" * len(head))
for family, row, shape, speed in rows:
    cells = [family, f"{shape['parameters']:,}"]
    if "stories" in tasks:
        told = row["stories"]
        above = sum(run["loss"] - run["floor"] for run in told) / len(told)
        cells += [mean(told, "loss", "{:.3f}".format), f"{above:.3f}", mean(told, "recall", percent), f"x {told[0]['rate']:g}"]
    if "mqar" in tasks:
        cells += [mean(row["mqar"], "recall", percent), f"x {row['mqar'][0]['rate']:g}"]
    cells += [f"{speed['tokens_per_second']:,.0f}", f"{speed['peak_bytes'] / 2**20:.0f}",
              f"{shape['cache_bytes_per_token']:,}", f"{shape['fixed_state_bytes']:,}"]
    print("| " + " | ".join(cells) + " |")
