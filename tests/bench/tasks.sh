#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Trains small networks (2 layers, width 64, no main feed-forward network) on the synthetic tasks of models.md 13 and
# prints what each answers right on the test split:
#   tests/bench/tasks.sh [TASK...]        mqar induction copying
# PHA=path of the command, OUT=folder for the runs, STEPS=updates, MODELS="pha attention transformer h3 gss": families.
set -eu
cd "$(dirname "$0")/../.."
PHA=${PHA:-build/release/bin/pha}
OUT=${OUT:-build/tasks}
MODELS=${MODELS:-pha attention transformer h3 gss}
[ "$#" -gt 0 ] || set -- mqar

shape="--set layers=2 --set width=64 --set query_heads=1 --set kv_heads=1 --set gss_expand=128 --set gss_width=16
    --set gss_state=16 --set aux_width=64 --set main_width=0 --set embedding_scale=one"
recipe="--set batch_size=64 --set learning_rate=5e-3 --set warmup_steps=100 --set weight_decay=0.1
    --set eval_every=500 --set sample_every=0 --set save_every=0 --set mix_every=500"

printf '%-12s %-12s %10s %10s %8s\n' task model answers examples guess
for task in "$@"; do
    for name in $MODELS; do
        run=$OUT/$task-$name
        # shellcheck disable=SC2086 # lists of options
        [ -e "$run/checkpoints/latest" ] ||
            "$PHA" train --preset "$name-tiny" --data "$task" --run "$run" $shape $recipe --steps "${STEPS:-4000}" >/dev/null
        "$PHA" eval "$run" --json | python3 -c '
import json, sys
recall = json.load(sys.stdin)["recall"]
print("%-12s %-12s %9.1f%% %9.1f%% %7.1f%%" % (sys.argv[1], sys.argv[2], 100 * recall["accuracy"], 100 * recall["exact"],
    100 * recall["chance"]))' "$task" "$name"
    done
done
