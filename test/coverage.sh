#!/usr/bin/env bash
# Measures the statement coverage of packages by their own tests, and fails if
# one has less than the given percentage.
set -euo pipefail
cd "$(dirname "$0")/.."
least=$1
shift
failed=0
for package in "$@"; do
  line=$(go test -count=1 -cover "./internal/$package")
  percent=$(sed -nE 's/.*coverage: ([0-9.]+)%.*/\1/p' <<<"$line")
  echo "internal/$package: $percent % of statements"
  awk -v p="$percent" -v l="$least" 'BEGIN { exit !(p < l) }' && { echo "  less than $least %"; failed=1; }
done
exit $failed
