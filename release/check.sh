#!/usr/bin/env bash
# Builds the release twice, from copies in two directories, the second without
# anything that was compiled before, and fails unless both are the same: takes ten
# minutes. The copies have no git; what it knows is given to both.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=${VERSION:-$(git describe --tags --always --dirty --abbrev=12)}
REVISION=${REVISION:-$(git rev-parse HEAD)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION REVISION SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

copy() {
  mkdir -p "$1"
  git ls-files -z | xargs -0 cp --parents -t "$1"
}
# Both at once, or what is changed while the first is built would be a difference.
copy "$work/one"
copy "$work/another/place"
(cd "$work/one" && go run ./release)
(cd "$work/another/place" && GOCACHE=$work/cache go run ./release)
(cd "$work/one/dist" && sha256sum --quiet -c SHA256SUMS)
diff -r "$work/one/dist" "$work/another/place/dist"
echo "the same twice:"
cat "$work/one/dist/SHA256SUMS"
