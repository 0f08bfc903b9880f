package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// The beginning of a log is a group until its first keyframe, for a second at
// most, so that a viewer who waited for the publisher misses nothing when it
// comes a moment late.
func TestTheBeginningIsAGroup(t *testing.T) {
	tests := []struct{ name, log, want string }{
		{"audio only", "meta=X ah0=B a0@10 a0@20 | a0@30", "meta=X ah0=B a0@10 a0@20 a0@30"},
		{"audio before the first keyframe", "vh0=A ah0=B a0@10 v0@20 | v0!@40", "vh0=A ah0=B a0@10 v0!@40"},
		{"the first keyframe ends it", "ah0=B a0@10 vh0=A@15 v0!@20 | a0@30", "vh0=A@20 ah0=B@20 v0!@20 a0@30"},
		{"for a second", "ah0=B a0@10 a0@1000 | a0@1010", "ah0=B a0@10 a0@1000 a0@1010"},
		{"and no longer", "ah0=B a0@10 a0@1001 | a0@1010", "ah0=B@1001 a0@1010"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, after, _ := strings.Cut(test.log, "|")
			l := newLog(testChunkSize, plenty)
			appendAll(l, before)
			c := l.Cursor(AtGroup)
			appendAll(l, after)
			if got := drain(c); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTheBeginningIsNoGroupWithoutACache(t *testing.T) {
	l := newLog(testChunkSize, 0)
	appendAll(l, "ah0=B a0@10")
	if got := drain(l.Cursor(AtGroup)); got != "ah0=B@10" {
		t.Errorf("got %s", got)
	}
}

func TestTheBeginningIsBoundedByTheCache(t *testing.T) {
	conformance.Covers(t, 156)
	l := newLog(testChunkSize, 10*messageOverhead)
	for range 20 {
		l.Append(message("a0"), time.Millisecond)
	}
	if l.entry.Load().before != nil {
		t.Error("the beginning outgrew the cache and is still kept")
	}
}
