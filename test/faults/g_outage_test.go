package faults

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// presents completes TLS with the given certificate, if the server lets it, and
// calls told if anything comes through.
func presents(config *tls.Config, told func()) stage.Misbehaviour {
	return func(conn net.Conn) {
		secure := tls.Server(conn, config)
		if n, _ := secure.Read(make([]byte, 1)); n > 0 {
			told()
		}
	}
}

// ignores does not even read, until the server has given up.
func ignores(conn net.Conn) {
	timer := time.NewTimer(refusalLimit)
	defer timer.Stop()
	<-timer.C
	_, _ = io.Copy(io.Discard, conn)
}

// away is a way in which a backend is gone before it reads a request.
type away struct {
	name    string
	instead stage.Misbehaviour
}

// A backend that was there goes away in every way, before it reads a request:
// publishers are refused in time, and those who publish go on.
func TestBackendThatGoesAwayRefusesThePublisher(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	var leaked atomic.Int64
	told := func() { leaked.Add(1) }
	t.Cleanup(func() {
		if n := leaked.Load(); n != 0 {
			t.Errorf("%d backends that nobody can trust were told something", n)
		}
	})
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	plainHost, secureHost := "127.0.0.10", "127.0.0.11" // each with a certificate of its own
	old := ca.issue(t, secureHost, later)
	old.MaxVersion = tls.VersionTLS11
	tests := []struct {
		name, host string
		ways       []away
	}{
		{"HTTP", plainHost, []away{
			{"reset at accept", stage.Resets},
			{"end at accept", stage.Says("")},
			{"silence at accept", ignores},
			{"another protocol", stage.Hangs("SSH-2.0-OpenSSH_9.9\r\n")},
		}},
		{"HTTPS", secureHost, []away{
			{"self-signed certificate", presents((*authority)(nil).issue(t, secureHost, later), told)},
			{"expired certificate", presents(ca.issue(t, secureHost, earlier), told)},
			{"certificate of another host", presents(ca.issue(t, plainHost, later), told)},
			{"TLS 1.1", presents(old, told)},
			{"plain HTTP on an https URL", stage.Says(accepting + empty)},
			{"silence within the TLS handshake", stage.Hangs("\x16\x03\x03")},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, tt.host, (*stage.Backend).Accept)
			if tt.host == secureHost {
				b.TLS = ca.issue(t, tt.host, later)
			}
			accept := b.Answer
			b.Answer = func(w http.ResponseWriter, e stage.Event) {
				w.Header().Set("Connection", "close") // or the next request needs no new one
				accept(w, e)
			}
			b.Open()
			f := begin(t, "G1 G2", b.Settings("SSL_CERT_FILE="+ca.file)...)
			b.Watch(f.server)
			f.figure("ways", len(tt.ways)+1)
			for i, way := range tt.ways {
				b.Instead.Store(&way.instead)
				refusedUnasked(f, b, way.name)
				b.Instead.Store(nil)
				c := stage.Publish(t, f.server, fmt.Sprint("between-", i, "/", stage.CallbackKey))
				_ = c.Conn.Close()
			}
			b.Close()
			refusedUnasked(f, b, "refused connection")
			b.Open()
			awaitPairs(t, b, 2*stage.Soon)
		})
	}
}

// refusedUnasked wants a publisher to be refused although its backend was not asked.
func refusedUnasked(f *fault, b *stage.Backend, why string) {
	f.Helper()
	before := b.Started("channel")
	if took, err := publishRefused(f.T, f.server, "channel"); err != nil {
		f.Errorf("%s: after %v: %v", why, took, err)
	}
	if n := b.Started("channel") - before; n != 0 {
		f.Errorf("%s: the backend was asked %d times", why, n)
	}
}

// There is no canary, since nobody can publish.
func TestBackendWithoutAddressRefusesThePublisher(t *testing.T) {
	t.Parallel()
	b := stage.NewBackend(t, "")
	b.URL = "http://backend.invalid/events"
	s := stage.StartCalled(t, b)
	if took, err := publishRefused(t, s, "channel"); err != nil {
		t.Errorf("after %v: %v", took, err)
	}
}

// After some failures in a row publishers are refused without a question, and
// soon after the backend is back they are accepted again.
func TestBackendThatFailsIsSparedUntilItIsBack(t *testing.T) {
	t.Parallel()
	var back atomic.Bool
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		if back.Load() {
			b.Accept(w, e)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	f := begin(t, "G4", b.Settings()...)
	b.Watch(f.server)
	for range failuresInARow {
		if _, err := publishRefused(t, f.server, "channel"); err != nil {
			t.Fatal(err)
		}
	}
	if took, err := publishRefused(t, f.server, "channel"); err != nil {
		t.Error(err)
	} else if took > late {
		t.Errorf("a backend known to fail cost %v", took)
	}
	// One more is asked about if this takes longer than the backend is spared.
	if n := b.Started("channel"); n != failuresInARow && n != failuresInARow+1 {
		t.Errorf("the backend was asked %d times, want %d", n, failuresInARow)
	}
	back.Store(true)
	f.awaitPermission()
}

// recoveryLimit is within what somebody may publish again, once the backend is back.
const recoveryLimit = 3*time.Second + late

// awaitPermission publishes until that is allowed, and ends.
func (f *fault) awaitPermission() {
	f.Helper()
	for start := time.Now(); ; stage.Pause(f.Context(), 50*time.Millisecond) {
		c, err := stage.TryPublish(f.T, "", f.server.Addr, "back/"+stage.CallbackKey)
		took := time.Since(start)
		if err == nil {
			f.figure("back after", took.Round(time.Millisecond))
			_ = c.Conn.Close()
			return
		}
		if took > recoveryLimit {
			f.Fatalf("%v after the backend came back: %v", took, err)
		}
	}
}

// Publishers come while nobody answers, and keep coming.
func TestBackendThatIsDownCostsNewcomersLittle(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "", (*stage.Backend).Accept)
	b.Open()
	f := begin(t, "G4", b.Settings()...)
	b.Watch(f.server)
	live := stage.Publish(t, f.server, "live/"+stage.CallbackKey)
	b.Close()
	down := time.Now()
	_ = live.Conn.Close() // which nobody can be told
	tried := 200
	var lives lifetimes
	want := func(i int) {
		took, err := publishRefused(f.T, f.server, fmt.Sprint("channel-", i))
		if err != nil {
			f.Errorf("publisher %d, after %v: %v", i, took, err)
		}
		lives.add(took)
	}
	crowd(tried, want)
	longest := time.Duration(0)
	for pause := time.Duration(f.scale(3, 60)) * time.Second; time.Since(down) < pause; tried++ {
		took, err := publishRefused(f.T, f.server, "channel")
		if err != nil {
			f.Error(err)
		}
		longest = max(longest, took)
		stage.Pause(f.Context(), 50*time.Millisecond)
	}
	f.figure("refused", tried)
	f.figure("together after at most", lives.longest.Round(time.Millisecond))
	f.figure("one by one after at most", longest.Round(time.Millisecond))
	if longest > late {
		f.Errorf("a publisher was refused after %v", longest)
	}
	b.Open()
	f.awaitPermission()
	// A stop is told again after pauses that have grown to a minute at most.
	awaitPairs(f.T, b, time.Duration(f.scale(10, 70))*time.Second)
}

// maxAsked is how many requests a backend has to deal with at a time.
const maxAsked = 64

// More publishers than may be asked about, or wait, at the same time.
func TestBackendThatHangsIsAskedByFewAtATime(t *testing.T) {
	t.Parallel()
	ctx, free := context.WithCancel(t.Context())
	defer free()
	var asked, most atomic.Int64
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		now := asked.Add(1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		stage.Pause(ctx, time.Minute)
		asked.Add(-1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	f := begin(t, "G1 G4", b.Settings()...)
	b.Watch(f.server)
	n := f.scale(400, 1000)
	f.figure("publishers", n)
	crowd(n, func(i int) {
		if took, err := publishRefused(f.T, f.server, fmt.Sprint("channel-", i)); err != nil {
			f.Errorf("publisher %d, after %v: %v", i, took, err)
		}
	})
	free()
	f.figure("asked at once", most.Load())
	if most.Load() > maxAsked || most.Load() < maxAsked/2 {
		f.Errorf("the backend was asked about %d at once, want %d", most.Load(), maxAsked)
	}
}

// A reply is its header: a body without end costs nobody anything, and the id
// before it counts.
func TestEndlessBodyOfAPermissionIsCut(t *testing.T) {
	t.Parallel()
	const id = "S-ENDLESS"
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		if e.Event == "stop" {
			b.Accept(w, e)
			return
		}
		b.Take(w, stage.Floods("HTTP/1.1 200 OK\r\nstream-id: "+id+"\r\n\r\n", strings.Repeat("x", 4096)))
	})
	f := begin(t, "G3", b.Settings()...)
	b.Watch(f.server)
	c := stage.Publish(t, f.server, "channel/"+stage.CallbackKey)
	f.server.AwaitLine("msg=publish", "stream_id="+id)
	_ = c.Conn.Close()
	if _, stopped := b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.ID == id }); !stopped {
		t.Error("the backend never heard of the end")
	}
}
