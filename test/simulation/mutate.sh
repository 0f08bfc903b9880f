#!/usr/bin/env bash
# Puts one bug after the other into a copy of the tree, and fails if the
# simulation does not find it within a minute of a processor. With an argument,
# only those whose names hold it.
set -euo pipefail
cd "$(dirname "$0")/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
only=${1:-}
missed=0
TIMEFORMAT=%U # of a processor: the machine may be busy with something else

# mutant NAME FILE SED…: the program for sed must change the file.
mutant() {
  local name=$1 file=$2 took seed
  shift 2
  [[ $name == *"$only"* ]] || return 0
  rm -rf "$copy/tree" && mkdir "$copy/tree"
  git ls-files -z --cached --others --exclude-standard -- '*.go' go.mod go.sum | xargs -0 cp --parents -t "$copy/tree" 2>/dev/null || true
  sed -i -E "$@" "$copy/tree/$file"
  if cmp -s "$file" "$copy/tree/$file"; then
    echo "$name: the source has changed, and this script has to follow"
    missed=1
    return
  fi
  (cd "$copy/tree" && go test -c -o ../simulation.test ./test/simulation)
  took=$({ time (cd "$copy" && ulimit -t 60 && ./simulation.test -test.timeout 1h -histories 100000 >out 2>&1) || true; } 2>&1)
  if seed=$(grep -m1 -oE 'seed [0-9]+: .*|^panic: .*' "$copy/out"); then
    echo "$name: found after $took s, $seed"
  else
    echo "$name: NOT FOUND after $took s"
    tail -5 "$copy/out"
    missed=1
  fi
}

mutant 'no keyframe is waited for behind a skip' internal/stream/cursor.go \
  's/c\.place\(AtGroup\)/met := c.met; c.place(AtLive); c.met = met/'
mutant 'headers are not sent again behind a skip' internal/stream/cursor.go \
  's/c\.place\(AtGroup\)/c.place(AtGroup); c.headers = nil/'
mutant 'a viewer is moved on too early' internal/stream/cursor.go 's/if lag <= limit/if lag <= limit\/8/'
mutant 'a run is sent before the keyframe' internal/stream/run.go 's/ \|\| r\.frames&\^c\.met != 0//'
mutant 'the publisher that is replaced stays' internal/stream/registry.go \
  '/kick\{old\.claim\.Publisher, ReasonReplaced\}/d'
mutant 'a busy channel is given away' internal/stream/registry.go \
  '/^func \(r \*Registry\) claim/,/^}/s/!r\.replaceable\(old, c\.Key\)/false/'
mutant 'a lost claim is not stopped' internal/server/publish.go '/^\t\tc\.unpublish\(s\)$/{N;s/c\.unpublish\(s\)\n(.*refuseBusy)/s.grant = nil\n\1/}'
mutant 'any key may play' internal/stream/subscription.go '/^func \(r \*Registry\) Subscribe/,/^}/s/!sameKey\(/false \&\& !sameKey(/'
mutant 'those who wait with another key stay' internal/stream/registry.go 's/range ch\.strangers\(c\.Key\)/range ch.strangers(c.Key)[:0]/'
mutant 'time starts anew with each publication' internal/stream/registry.go '/timeline\.after = ch\.head/d'
mutant 'nobody hears of the end of the grace' internal/stream/subscription.go '/^func \(r \*Registry\) expire/,/^}/s/v\.Wake\(\)/_ = v/'
mutant 'a channel that nobody uses is kept' internal/stream/subscription.go '/^func \(s \*Subscription\) Close/,/^}/{/release/d}'
mutant 'who waited at the live edge misses the beginning' internal/server/player.go \
  '/^func \(p \*player\) startingPoint/,/^}/s/if p\.awaits/if p.awaits = false; p.awaits/'
mutant 'an order for a stream that is over closes the next' internal/stream/registry.go 's/ && ch\.publication\.claim\.StreamID == streamID//'
mutant 'a start is not in the journal' internal/hook/start.go 's/err = h\.journal\.started\(s\)/err = nil/'
mutant 'a stop is tried once' internal/hook/queue.go '/^\t\tq\.retryLater\(e\)/d'
mutant 'a start behind the end of its publisher is forgotten' internal/hook/start.go \
  '/^func \(h \*Hook\) abandon/,/^}/{/queue\.add/d}'
mutant 'an interruption keeps the log' internal/stream/publication.go 's/r\.expire\(ch, done\)/r.expire(p.channel, p.done)/'
mutant 'a player that stopped keeps the log' internal/server/writer.go '/leaving\.dropCursor\(\)/d'
mutant 'the count of an address is kept' internal/access/limiter.go '/^func \(l \*Limiter\) release/,/^}/s/delete\(l\.counts, from\)/_ = from/'
mutant 'half of what was read is left where it was' internal/server/intake.go 's/in\.w = copy\(in\.buffer\.bytes, .*/in.w -= in.r/'
exit $missed
