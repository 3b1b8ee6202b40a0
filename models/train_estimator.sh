#!/bin/sh
# Trains the previous age and gender network (UTKFace and FairFace alone) from random weights, stage by stage, in the current
# folder. train_estimator_all_sets.py trains the one that ships.
# Expects the data sets at data/utkface/{train,val} and data/fairface. Usage:
#   sh models/train_estimator.sh config/training
# Runs with --train data/utkface/val ("-all") are trained on the validation faces as well. The same
# stages without them give the twin, which was evaluated in their place (docs/experiments.md).
set -eu
recipes=$1

train() {
  out=$1 recipe=$2 seed=$3
  shift 3
  faceguesser train --train data/utkface/train --val data/utkface/val --extra data/fairface \
    --out "$out" --recipe "$recipes/$recipe.toml" --seed "$seed" "$@"
}
weights() { for run in "$@"; do printf ' --weights %s/estimator.safetensors' "$run"; done; }

train t1 teacher-1 1
train t2 teacher-2 2 --start-from t1/checkpoint.safetensors
train t3 teacher-3 3 --start-from t2/checkpoint.safetensors

train 1 estimator-1 1 --stop-after 10 --teacher t3/estimator.safetensors
train 2 estimator-2 2 --start-from 1/checkpoint.safetensors --teacher t3/estimator.safetensors
train 3 estimator-3 5 --start-from 2/estimator.safetensors \
  --teacher t3/estimator.safetensors --teacher 2/estimator.safetensors
# A teacher that is named twice has twice the weight.
train 4 estimator-4 11 --start-from 3/estimator.safetensors \
  --teacher 3/estimator.safetensors --teacher 3/estimator.safetensors \
  --teacher 2/estimator.safetensors --teacher t3/estimator.safetensors

five="--start-from 4/estimator.safetensors --teacher 4/estimator.safetensors --teacher 3/estimator.safetensors"
train 5 estimator-5 21 $five
train 5-all estimator-5 21 $five --train data/utkface/val

six() {
  out=$1 recipe=$2 from=$3
  shift 3
  train "$out" "$recipe" 41 --start-from "$from/estimator.safetensors" \
    --teacher "$from/estimator.safetensors" --teacher 3/estimator.safetensors "$@"
}
six 6 estimator-6 5
six 6b estimator-6b 5
six 6-all estimator-6 5-all --train data/utkface/val

seven="--start-from 6/estimator.safetensors --start-from 6b/estimator.safetensors \
  --teacher 6/estimator.safetensors --teacher 6b/estimator.safetensors"
train 7 estimator-7 61 $seven
train 7b estimator-7b 51 $seven

# The mean of four runs without the validation faces, averaged with stage 6, whose run was without these faces (twin) or
# with them (shipped). The shipped weights take the twin's calibration.
mkdir mean twin shipped
faceguesser calibrate --data data/utkface/val $(weights 6 6b 7 7b) --out mean/estimator.safetensors
faceguesser calibrate --data data/utkface/val $(weights 6 mean) --eight-bits --out twin/estimator.safetensors
faceguesser calibrate --calibration-from twin/estimator.safetensors $(weights 6-all mean) --eight-bits \
  --out shipped/estimator.safetensors
