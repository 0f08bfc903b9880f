package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// fault is a row of the matrix under way, beside its canary.
type fault struct {
	*testing.T
	rows    []string
	server  *stage.Server
	canary  *canary
	issuer  *stage.Issuer
	before  vitals
	figures map[string]string
	order   []string
	// restarted says that the test has ended the server's first process on
	// purpose, so that its vitals cannot be compared.
	restarted bool
}

// begin starts a server with RTMPS and a canary for the rows of a test, split by
// spaces. When the test has ended, and everything that it opened is closed, the
// criteria that hold for all rows are checked. Of one address there may be any
// number of connections unless the settings say otherwise.
func begin(t *testing.T, rows string, settings ...string) *fault {
	t.Helper()
	f := &fault{T: t, rows: strings.Fields(rows), figures: make(map[string]string), issuer: stage.NewIssuer(t)}
	pair := f.issuer.Issue(t, t.TempDir())
	f.server = stage.Start(t, slices.Concat([]string{
		"MAX_IP_CONCURRENT_CONNECTIONS=0", "ADMIN_ADDRESS=127.0.0.1:0", "PUBLISH_GRACE_SECONDS=0", "DRAIN_SECONDS=0",
	}, pair.Settings(), settings)...)
	f.canary = startCanary(f)
	f.before = f.vitals()
	t.Cleanup(f.finish)
	return f
}

// scale returns how much of a fault to try: the first in the short profile, and
// the second in the long one.
func (f *fault) scale(short, longer int) int {
	if *long {
		return longer
	}
	return short
}

// figure notes what was measured, or tried, for the report.
func (f *fault) figure(name string, value any) {
	if _, known := f.figures[name]; !known {
		f.order = append(f.order, name)
	}
	f.figures[name] = fmt.Sprint(value)
}

// finish checks what holds for every row, and notes the result.
func (f *fault) finish() {
	f.Helper()
	f.canary.finish()
	if !f.restarted {
		f.checkRecovered()
	}
	if !f.Skipped() {
		results.add(result{rows: f.rows, test: f.Name(), failed: f.Failed(), figures: maps.Clone(f.figures), order: f.order})
	}
}
