#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast one run trains on 1, 2, 4 ... devices that share its batches: a Markdown table.

    python3 tests/bench/devices.py --pha build/cuda/bin/pha --preset pha-125m-s4d --data TEXT --shapes 1x16,2x32,4x64

DEVICESxSEQUENCES; the first shape is what the ratios divide by. 2+2x64: two processes of two devices each, as on two
computers (pha join), over the loopback. Every run is a short one in a folder that is removed.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--pha", default="build/release/bin/pha")
arguments.add_argument("--preset", default="pha-125m-s4d")
arguments.add_argument("--data", required=True)
arguments.add_argument("--shapes", default="1x16,2x32,4x64")
arguments.add_argument("--steps", type=int, default=60)
arguments.add_argument("--warm", type=int, default=15, help="updates at the beginning that are not counted")
arguments.add_argument("--set", action="append", default=[], help="key=value, as pha train takes it")
options = arguments.parse_args()


def cards(before, count):
    return {**os.environ, "PHA_KEY": "devices.py", "CUDA_VISIBLE_DEVICES": ",".join(map(str, range(before, before + count)))}


def train(parts, sequences):
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        settings = ["schedule=cosine", f"batch_size={sequences}", f"devices={parts[0]}", "eval_every=0",
                    "eval_tokens=20000", "sample_every=0", "save_every=0", *options.set]
        command = [options.pha, "train", "--preset", options.preset, "--data", options.data, "--run", run, "--steps",
                   str(options.steps), *(f for s in settings for f in ("--set", s))]
        joined = []
        if len(parts) > 1:
            command += ["--nodes", str(len(parts)), "--listen", "127.0.0.1:29417"]
            joined = [subprocess.Popen([options.pha, "join", "127.0.0.1:29417", "--devices", str(count)],
                                       env=cards(sum(parts[:i + 1]), count), stdout=subprocess.DEVNULL)
                      for i, count in enumerate(parts[1:])]
        subprocess.run(command, check=True, capture_output=True, env=cards(0, parts[0]) if joined else None)
        if any(process.wait() for process in joined):
            raise SystemExit("a process that had joined has failed")
        lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        return [line for line in lines if line["type"] == "step"]


first = None
print("| devices | sequences | tokens/s | times the first | peak GiB of one | loss after | W |")
print("|---|---|---|---|---|---|---|")
for shape in options.shapes.split(","):
    devices, sequences = shape.split("x")
    steps = train([int(count) for count in devices.split("+")], int(sequences))
    rate = statistics.median(step["tokens_per_second"] for step in steps[options.warm:])
    first = first or rate
    peak = max(step["device_bytes"] for step in steps) / 2**30
    watts = steps[-1].get("watts")
    print(f"| {devices} | {sequences} | {rate:,.0f} | {rate / first:.2f} | {peak:.2f} | {steps[-1]['loss']:.4f} "
          f"| {'' if watts is None else round(watts)} |", flush=True)
