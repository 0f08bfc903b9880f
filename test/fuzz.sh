#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given time
# each.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}

# fuzz runs one target. When its time is up while a worker is busy, the engine
# sometimes reports its own deadline as a failure; every
# finding comes with the input that failed.
fuzz() {
  local dir=$1 target=$2 out
  if out=$(go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" 2>&1); then
    grep -E '^fuzz: elapsed' <<<"$out" | tail -1
  elif grep -q 'context deadline exceeded' <<<"$out" && ! grep -qE 'Failing input|panic|hung or terminated' <<<"$out"; then
    echo "$(grep -E '^fuzz: elapsed' <<<"$out" | tail -1), ended by the deadline of the engine"
  else
    echo "$out"
    return 1
  fi
}

grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9]+' "$dir"/*_test.go | sed 's/^func //' | sort | while read -r target; do
    echo "$dir $target"
    fuzz "$dir" "$target"
  done
done
