#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three families in four sizes of about equal parameters, trained on one text, for pha scaling.

    pha data prepare TEXT/ --out corpus --tokenizer bpe --vocab-size 50257
    python3 tests/bench/scaling.py corpus --out sizes --cards 2 --seeds 2
    pha scaling sizes --at 1e18

A run takes one card; so many cards, so many runs at once. What is there already is not trained again, and --sizes 0,1 trains
the two small ones alone. On two H200 one seed of all takes eleven minutes."""
import argparse
import os
import queue
import subprocess
import sys
import threading

# Width; layers of pha, attention and transformer; sequences of 1024 an update; millions of tokens; learning rate.
SIZES = [(192, (2, 4, 3), 16, 25, 2e-3), (256, (3, 6, 5), 16, 60, 1.5e-3), (384, (5, 10, 8), 32, 150, 1.2e-3),
         (512, (8, 16, 13), 64, 250, 1e-3)]
RECIPE = dict(context=1024, warmup_steps=200, schedule="cosine", min_learning_rate=0.1, beta1=0.9, beta2=0.95,
              weight_decay=0.1, dropout=0, clip=1, optimizer="adamw", eval_tokens=0, sample_every=0, mix_every=500)


def fields(family, size):
    """Heads of 64 channels; the GSS state is the one of pha-125m-s4d, everything else grows with the width."""
    width, layers, batch, millions, rate = SIZES[size]
    steps = int(millions * 1e6 / (batch * 1024))
    shape = dict(width=width, batch_size=batch, steps=steps, learning_rate=rate, eval_every=steps // 6, save_every=0,
                 query_heads=width // 64)
    shared = 1 if width // 64 % 2 else 2  # heads of keys and values
    if family == "pha":
        shape.update(layers=layers[0], kv_heads=shared, gss_expand=4 * width, gss_width=max(32, width // 5 // 32 * 32),
                     gss_state=64, aux_width=int(width * 0.6) // 8 * 8, main_width=2 * width)
        return "pha-125m-s4d", shape
    if family == "attention":
        shape.update(layers=layers[1], kv_heads=shared, main_width=int(2.5 * width))
        return "attention-125m", shape
    shape.update(layers=layers[2], kv_heads=width // 64, main_width=4 * width)
    return "transformer-125m", shape


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("corpus", help="what --data names: a prepared corpus, a file, a folder")
parser.add_argument("--pha", default="build/cuda/bin/pha", help="the command")
parser.add_argument("--out", default="build/scaling", help="folder of the runs")
parser.add_argument("--device", default="cuda")
parser.add_argument("--cards", type=int, default=1)
parser.add_argument("--seeds", type=int, default=1)
parser.add_argument("--eval-every", type=int, help="updates between evaluations (default: six in a run)")
parser.add_argument("--sizes", default="3,2,1,0", help="in this order; numbers of rows of the table above")
options = parser.parse_args()

jobs = queue.Queue()
for seed in range(1, options.seeds + 1):
    for size in map(int, options.sizes.split(",")):
        for family in ("pha", "attention", "transformer"):
            jobs.put((family, size, seed))
failed = []


def work(card):
    while True:
        try:
            family, size, seed = jobs.get_nowait()
        except queue.Empty:
            return
        preset, shape = fields(family, size)
        run = os.path.join(options.out, f"{family}-{SIZES[size][0]}-s{seed}")
        if os.path.exists(os.path.join(run, "checkpoints", "latest")):
            continue
        settings = {**RECIPE, **shape, "seed": seed}
        if options.eval_every:
            settings["eval_every"] = options.eval_every
        done = subprocess.run([options.pha, "train", "--preset", preset, "--data", options.corpus, "--run", run,
                               "--device", options.device,
                               *[word for key, value in settings.items() for word in ("--set", f"{key}={value}")]],
                              env={**os.environ, "CUDA_VISIBLE_DEVICES": str(card)}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        print(run, "done" if done.returncode == 0 else done.stderr.strip().splitlines()[-1], file=sys.stderr, flush=True)
        if done.returncode != 0:
            failed.append(run)


threads = [threading.Thread(target=work, args=(card,)) for card in range(options.cards)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
