#!/bin/sh
# The ablation of docs/recipe.md. usage: docs/ablation.sh FOLDER, which holds nano/ (untrained) and see/model (seeing first).
# STEPS, SEEDS and RL_STEPS may be set. What is done already is not done again.
set -eu
work=$1
steps=${STEPS:-250}
joyvl="${PYTHON:-python} -m joyvl_app"

render() {
    [ -f "$work/$1/annotations.json" ] || $joyvl data render --world "$2" --clips "$3" --seed "$4" $5 --out "$work/$1"
}

# name, checkpoint to begin from, seed, and what sets this variant apart
sft() {
    name=$1 from=$2 seed=$3
    shift 3
    $joyvl train sft --model "$from" --out "$work/$name" --steps "$steps" --tokens 4096 --rate 1e-3 --precision bf16 --device cpu \
        --seed "$seed" "$@"
    score "$name"
}

score() {
    [ -f "$work/$1/eval/metrics.json" ] || JOYVL_TEMPERATURE=0 JOYVL_MODEL_DEVICE=cpu $joyvl eval "$work/held/cases" "$work/quiet/cases" \
        --decider vlm --model "$work/$1/model" --no-sweep --out "$work/$1/eval"
}

render held heldout 120 20000 ""
render quiet heldout 60 30000 "--family quiet"
for seed in ${SEEDS:-0 10000000 20000000}; do
    sft "weighted-$seed" "$work/see/model" "$seed" --cells 0.5 --silence 0.5
    sft "light-$seed" "$work/see/model" "$seed" --cells 0.5 --silence 0.2
    sft "unweighted-$seed" "$work/see/model" "$seed" --cells 0.5 --silence 1
    sft "unseeing-$seed" "$work/nano" "$seed" --silence 0.5
    $joyvl train rl --model "$work/weighted-$seed/model" --out "$work/rl-$seed" --steps "${RL_STEPS:-60}" --seed "$seed" --device cpu
    score "rl-$seed"
done
