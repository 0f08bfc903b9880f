#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given time
# each.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}

grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9]+' "$dir"/*_test.go | sed 's/^func //' | sort | while read -r target; do
    echo "$dir $target"
    out=$(go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" 2>&1) || { echo "$out"; exit 1; }
    echo "$out" | grep -E '^fuzz: elapsed' | tail -1
  done
done
