#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four models of about 42 M parameters on one text with one recipe and several seeds: mean loss and its spread.

    pha data prepare TEXT/ --out corpus --tokenizer bpe --vocab-size 32000
    python3 tests/bench/ablation.py corpus --device cuda

TEXT/ holds wiki.train.raw, wiki.valid.raw, wiki.test.raw or any other text. A loss is of validation, disjoint windows, in
nats a token. Runs that are there already are not trained again."""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys

WIDTH = 512
MODELS = {  # width 512, heads of 64 channels; GSS: s4d, 32 pairs, h = D/4
    "Transformer (8 layers, GELU 4 D)": ("transformer-small", dict(layers=8, query_heads=8, kv_heads=8, main_width=2048)),
    "attention-only (10 layers, SwiGLU 2.5 D)": ("attention-small",
                                                dict(layers=10, query_heads=8, kv_heads=2, main_width=1280)),
    "PHA, the paper's shape (5 layers)": ("pha-small", dict(layers=5, query_heads=8, kv_heads=2, main_width=1024,
                                                           aux_width=344, gss_expand=2048, gss_width=128, gss_state=64)),
    "PHA lean (8 layers)": ("pha-lean-small", dict(layers=8, query_heads=8, kv_heads=2, main_width=1280, gss_expand=512,
                                                  gss_width=128, gss_state=64)),
}
RECIPE = dict(context=1024, learning_rate=1e-3, warmup_steps=100, schedule="cosine", min_learning_rate=0.1, beta1=0.9,
              beta2=0.95, weight_decay=0.1, dropout=0, clip=1, optimizer="adamw", embedding_scale="one", sample_every=0,
              save_every=0, eval_tokens=0, mix_every=100)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("corpus", help="what --data names: a prepared corpus, a file, a folder")
parser.add_argument("--pha", default="build/release/bin/pha", help="the command")
parser.add_argument("--out", default="build/ablation", help="folder of the runs")
parser.add_argument("--device", default="auto")
parser.add_argument("--steps", type=int, default=480)
parser.add_argument("--batch", type=int, default=48, help="texts of 1024 tokens an update")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--models", default="", help="numbers of rows, such as 0,3; all if left out")
options = parser.parse_args()

chosen = [int(n) for n in options.models.split(",")] if options.models else range(len(MODELS))
chosen = [list(MODELS.items())[number] for number in chosen]
results = {title: {"losses": [], "speeds": []} for title, _ in chosen}


def pha(*arguments):
    done = subprocess.run([options.pha, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"pha {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


for seed in range(1, options.seeds + 1):
    for title, (preset, shape) in chosen:
        run = os.path.join(options.out, f"{preset}-{options.steps}-{seed}")
        fields = {**RECIPE, **shape, "width": WIDTH, "seed": seed, "steps": options.steps, "batch_size": options.batch,
                  "eval_every": options.steps}
        if not os.path.exists(os.path.join(run, "checkpoints", "latest")):
            pha("train", "--preset", preset, "--data", options.corpus, "--run", run, "--device", options.device,
                *[word for key, value in fields.items() for word in ("--set", f"{key}={value}")])
        with open(os.path.join(run, "metrics.jsonl")) as lines:
            events = [json.loads(line) for line in lines if line.strip()]
        result = results[title]
        result["losses"].append([e for e in events if e["type"] == "eval" and e["split"] == "valid"][-1]["nll"])
        result["speeds"].append(statistics.median(e["tokens_per_second"] for e in events if e["type"] == "step"))
        result["parameters"] = json.loads(pha("inspect", run, "--json"))["parameters"]
        print(f"{title}, seed {seed}: {result['losses'][-1]:.4f}, {result['speeds'][-1]:,.0f} tokens/s", file=sys.stderr,
              flush=True)

print(f"{options.steps * options.batch * 1024:,} tokens, {options.seeds} seeds.\n")
print("| model | parameters | loss, mean | lowest ... highest | PPL | tokens/s |")
print("|---|---|---|---|---|---|")
for title, result in results.items():
    mean = statistics.mean(result["losses"])
    print(f"| {title} | {result['parameters'] / 1e6:.1f} M | {mean:.3f} "
          f"| {min(result['losses']):.3f} ... {max(result['losses']):.3f} | {math.exp(mean):.1f} "
          f"| {statistics.median(result['speeds']):,.0f} |")
