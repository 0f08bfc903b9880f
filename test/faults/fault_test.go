package faults

import (
	"context"
	"fmt"
	"maps"
	"net"
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
	pair    *stage.Pair    // the server's certificate and key
	network *stage.Network // nil if the server shares the network of this machine
	token   string         // for the administration, empty if there is none
	before  vitals
	figures map[string]string
	order   []string
	// restarted says that the test has ended the server's first process on
	// purpose, so that its vitals cannot be compared.
	restarted bool
	// repeated says that the report has this test already, from a run before.
	repeated bool
	// complaints are what the server may log at level ERROR, since the fault gives
	// it a reason to.
	complaints string
}

// begin starts a server with RTMPS and a canary for the rows of a test, split by
// spaces. When the test has ended, and everything that it opened is closed, the
// criteria that hold for all rows are checked. Of one address there may be any
// number of connections unless the settings say otherwise.
func begin(t *testing.T, rows string, settings ...string) *fault {
	t.Helper()
	return beginIn(t, rows, nil, settings...)
}

// beginIn is begin with the server, and its canary, in the server's half of a
// network, where it listens on all addresses.
func beginIn(t *testing.T, rows string, network *stage.Network, settings ...string) *fault {
	t.Helper()
	return beginWith(t, rows, network, stage.Process{}, settings)
}

// beginAs is begin with a server that does not run as usual.
func beginAs(t *testing.T, rows string, process stage.Process, settings ...string) *fault {
	t.Helper()
	return beginWith(t, rows, nil, process, settings)
}

func beginWith(t *testing.T, rows string, network *stage.Network, process stage.Process, settings []string) *fault {
	t.Helper()
	f := &fault{
		T: t, rows: strings.Fields(rows), figures: make(map[string]string), issuer: stage.NewIssuer(t), network: network,
	}
	f.pair = f.issuer.Issue(t, t.TempDir())
	settings = slices.Concat([]string{
		"MAX_IP_CONCURRENT_CONNECTIONS=0", "ADMIN_ADDRESS=127.0.0.1:0", "PUBLISH_GRACE_SECONDS=0", "DRAIN_SECONDS=0",
	}, f.pair.Settings(), settings)
	for _, setting := range settings {
		if token, ok := strings.CutPrefix(setting, "ADMIN_TOKEN="); ok {
			f.token = token
		}
	}
	if network != nil {
		settings = append(settings, "BIND_ADDRESS=0.0.0.0")
	}
	f.within(func() { f.server = process.Start(t, settings...) })
	f.canary = startCanary(f)
	f.before = f.vitals()
	t.Cleanup(f.finish)
	return f
}

// alone is begin without a server and a canary, for faults that none can live through.
func alone(t *testing.T, rows string) *fault {
	t.Helper()
	f := &fault{T: t, rows: strings.Fields(rows), figures: make(map[string]string)}
	t.Cleanup(f.finish)
	return f
}

// within calls a function where the server's loopback network is: sockets that it
// opens and programs that it starts are there.
func (f *fault) within(do func()) {
	f.Helper()
	if f.network == nil {
		do()
		return
	}
	f.network.Server.Do(do)
}

// connection opens a connection from an address of the server's network.
func (f *fault) connection(from, addr string) (conn *net.TCPConn, err error) {
	if host, port, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host).IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	f.within(func() {
		var nc net.Conn
		dialer := net.Dialer{Timeout: stage.Soon}
		if from != "" {
			dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		}
		if nc, err = dialer.DialContext(f.bounded(), "tcp", addr); err == nil {
			conn = nc.(*net.TCPConn)
		}
	})
	return conn, err
}

// bounded is a context that outlives the test: what checks it needs one.
func (f *fault) bounded() context.Context { return context.WithoutCancel(f.Context()) }

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
	if f.canary != nil {
		f.canary.finish()
		if !f.restarted {
			f.checkRecovered()
		}
	}
	if f.complaints != "" {
		f.server.StopAllowing(f.complaints)
	}
	if !f.Skipped() && (!f.repeated || f.Failed()) {
		results.add(result{rows: f.rows, test: f.Name(), failed: f.Failed(), figures: maps.Clone(f.figures), order: f.order})
	}
}
