#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given time
# each: test/fuzz.sh [TIME] [PATTERN], the pattern choosing targets by name. A
# target that fails does not keep the others from running; all that failed are
# named at the end, with the inputs that the engine has kept under testdata/fuzz.
# GOMAXPROCS=1 leaves the other processors of a shared machine alone.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
pattern=${2:-.}

# executions prints the last figure that the engine gave.
executions() {
  grep -oE 'execs: [0-9]+' <<<"$1" | tail -1 | cut -d ' ' -f 2 || true
}

# crashers prints the inputs that failed, as files: a new one, or one that was
# kept before and fails again. A seed in the code has its number only.
crashers() {
  local dir=$1 out=$2
  {
    sed -nE 's|^ *Failing input written to (.*)$|\1|p' <<<"$out"
    sed -nE 's|^.*failure while testing seed corpus entry: (.*)$|testdata/fuzz/\1|p' <<<"$out"
  } | sort -u | sed "s|^|$dir/|"
}

# fuzz runs one target. The engine makes each input smaller that reaches new code,
# for a minute if it is let, which is all the time of a short run. When its time is
# up while a worker is busy, it sometimes reports its own deadline as a failure;
# every finding comes with the input that failed.
fuzz() {
  local dir=$1 target=$2 out execs note=
  if ! out=$(go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s 2>&1); then
    if ! grep -q 'context deadline exceeded' <<<"$out" || grep -qE 'Failing input|panic|hung or terminated' <<<"$out"; then
      echo "$out"
      note=', FAILED'
    else
      note=', ended by the deadline of the engine'
    fi
  fi
  execs=$(executions "$out")
  echo "$dir $target: ${execs:-0} executions$note"
  if [ "$note" = ', FAILED' ]; then
    mapfile -t -O "${#failed[@]}" failed < <(echo "$dir $target" && crashers "$dir" "$out" | sed 's/^/  /')
  fi
}

failed=()
while read -r dir; do
  while read -r target; do
    fuzz "$dir" "$target"
  done < <(grep -hoE '^func Fuzz[A-Za-z0-9]+' "$dir"/*_test.go | sed 's/^func //' | grep -E "$pattern" | sort)
done < <(grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n1 dirname | sort -u)

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nfailed:\n'
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
