#!/bin/sh
# Trains the eight small networks of the page's chapter on overfitting, in the current folder: on 1, 5, 20 and 100 % of
# UTKFace's training faces, without and with dropout. Expects the data set at data/utkface/{train,val}. Usage:
#   sh models/train_overfitting.sh config/training > src/platform/web/learn/overfitting.csv
set -eu
recipes=$1

# Every n-th face in the order of the file names, which begin with the age: all ages are in every share.
share() {
  mkdir -p "$1-$2"
  ls "data/utkface/$1" | awk -v every="$2" 'NR % every == 0' | while read -r file; do
    ln -sf "$PWD/data/utkface/$1/$file" "$1-$2/$file"
  done
}

train() {
  every=$1 epochs=$2 validate_every=$3
  share train "$every"
  for recipe in overfitting overfitting-dropout; do
    faceguesser train --train "train-$every" --val val-4 --out "$recipe-$every" --recipe "$recipes/$recipe.toml" \
      --epochs "$epochs" --validate-every "$validate_every" >&2
  done
}

share val 4
train 100 60 4
train 20 32 2
train 5 10 1
train 1 3 1

# Mean age error in years, by share of the data in percent, dropout and pass.
echo share,dropout,pass,train,val
for every in 100 20 5 1; do
  for recipe in overfitting overfitting-dropout; do
    dropout=$(sed -n 's/^dropout = //p' "$recipes/$recipe.toml")
    awk -F, -v start="$((100 / every)),$dropout" 'NR > 1 && $4 { printf "%s,%d,%.2f,%.2f\n", start, $1, $4, $6 }' \
      "$recipe-$every/curve.csv"
  done
done
