#!/usr/bin/env bash
# Looks for known vulnerabilities that the code can reach, in the standard library
# and in every module that it uses: test/vulnerabilities.sh [PACKAGE...]. Without
# the database (VULNDB, https://vuln.go.dev if unset) nothing can be said: a line
# tells so, and it is a failure if VULNDB_REQUIRED=1.
set -uo pipefail
cd "$(dirname "$0")/.."
database=${VULNDB:-https://vuln.go.dev}
[ $# -gt 0 ] || set -- ./...

tool=$(GOFLAGS='' go tool -modfile=test/tools.mod -n govulncheck) || exit 1
out=$("$tool" -db "$database" -test "$@" 2>&1) && {
  echo "vulnerabilities: none that the code can reach"
  exit 0
}
# What went wrong between here and the database, as opposed to in what it says.
if grep -qE '^govulncheck: fetching vulnerabilities: (Get "|HTTP GET )' <<<"$out"; then
  echo "vulnerabilities: NOT CHECKED: database not reachable ($database)" >&2
  [ "${VULNDB_REQUIRED:-0}" != 1 ]
  exit
fi
echo "$out" >&2
exit 1
