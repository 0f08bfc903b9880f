package httpflv

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// clumsy is a host that panics at one step, once.
type clumsy struct {
	Host
	at atomic.Pointer[string]
}

func (c *clumsy) fall(step string) {
	if at := c.at.Load(); at != nil && step == *at && c.at.CompareAndSwap(at, nil) {
		panic("a bug at " + step)
	}
}

func (c *clumsy) Admit() (func(), stream.Reason) {
	c.fall("admit")
	return c.Host.Admit()
}

func (c *clumsy) LogRefusal(log *slog.Logger, level slog.Level, reason stream.Reason, message string, attrs ...any) {
	c.fall("refuse " + string(reason))
	c.Host.LogRefusal(log, level, reason, message, attrs...)
}

func (c *clumsy) LogStep(log *slog.Logger, step, role string, attrs ...any) {
	c.fall(step)
	c.Host.LogStep(log, step, role, attrs...)
}

// TestAPanicEndsNobodyElse has a viewer watch while another comes to grief.
func TestAPanicEndsNobodyElse(t *testing.T) {
	for _, row := range []struct{ at, path, ended string }{
		{"admit", "/live/secret.flv", ""},
		{"play", "/live/secret.flv", "player http-flv live internal error"},
		{"end", "/other/secret.flv", "player http-flv other channel did not go live in time"},
		{"refuse wrong key", "/live/wrong.flv", ""},
		{"refuse closed before a request", "", ""},
	} {
		for _, major := range []int{1, 2} {
			t.Run(row.at+" "+string('0'+rune(major)), func(t *testing.T) {
				t.Parallel()
				panics := logs.NewPanics()
				host := &clumsy{}
				f, o := newObserved(t, func(o *Options) {
					host.Host, o.Host, o.Panics, o.PlayWait = o.Host, host, panics, time.Millisecond
				})
				p := f.publish("live")
				p.send("VAK")
				film := open(t, f.watch(""), "5")
				film.want("VAK")
				base, client := "http://"+f.addr, insecure(t, false)
				if major == 2 {
					base, client = "https://"+f.serveTLS(), insecure(t, true)
				}
				host.at.Store(&row.at)
				ask(t, client, base, row.path)
				until(t, func() bool { return panics.Count() == 1 })
				if row.ended != "" {
					o.want(t, row.ended)
				}
				p.send("va")
				film.want("va")
				f.log.await(t, "level=ERROR", "msg=panic", "a bug at "+row.at)
				until(t, func() bool { return len(f.Sessions()) == 1 })
			})
		}
	}
}

// ask makes one request, or connects and leaves if there is no path.
func ask(t *testing.T, client *http.Client, base, path string) {
	t.Helper()
	if path == "" {
		c, err := net.Dial("tcp", base[len(base)-len("127.0.0.1:00000"):])
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		return
	}
	r, err := client.Get(base + path)
	if err != nil {
		return
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode == http.StatusOK {
		t.Error("served")
	}
	client.CloseIdleConnections()
}

// TestAPanicWhileItIsWrittenEndsAViewer has the log of the viewer fall, as any part
// of its work may.
func TestAPanicWhileItIsWrittenEndsAViewer(t *testing.T) {
	panics := logs.NewPanics()
	f, o := newObserved(t, func(o *Options) {
		o.Panics = panics
		o.Log = slog.New(falling{o.Log.Handler()})
	})
	p := f.publish("live")
	p.send("VAK")
	film := open(t, bodyOf(t, rawHTTP(t, f.addr)), "5")
	film.want("VAK")
	p.burst(80, 20_000)
	_, _ = io.Copy(io.Discard, film.in)
	o.want(t, "player http-flv live internal error")
	if panics.Count() != 1 {
		t.Errorf("%d panics", panics.Count())
	}
}

// falling is a log that cannot be told of slow viewers.
type falling struct{ slog.Handler }

func (f falling) WithAttrs(attrs []slog.Attr) slog.Handler {
	return falling{f.Handler.WithAttrs(attrs)}
}
func (f falling) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		panic("a bug in the log")
	}
	return f.Handler.Handle(ctx, r)
}

// failing is a listener whose first accepts fail.
type failing struct {
	net.Listener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestServiceGoesOnAfterAcceptFailed(t *testing.T) {
	f, o := newObserved(t, nil)
	f.publish("live").send("VAK")
	addr := f.serve(func(l net.Listener) error {
		return f.Serve(&failing{l, []error{syscall.ENOBUFS, errors.New("something else"), syscall.EMFILE}})
	})
	refused, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = refused.Close() }()
	// The spare descriptor was given up for it, and could be had again.
	c := rawHTTP(t, addr)
	open(t, bodyOf(t, c), "5").want("VAK")
	f.log.await(t, "accept failed", "retry_in=5ms")
	f.log.await(t, "accept failed", "retry_in=10ms")
	if len(o) != 0 {
		t.Error("somebody was refused although there was a descriptor")
	}
}

func TestWithoutADescriptorAConnectionIsRefused(t *testing.T) {
	f, o := newObserved(t, nil)
	g, release := f.newGate(nil, false)
	defer release()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	g.turnDown(nc)
	if _, err := io.ReadAll(c); err == nil {
		t.Error("it ended without a reset")
	}
	o.want(t, "refused http-flv  out of file descriptors")
	f.log.await(t, "level=WARN", string(stream.ReasonNoFiles))
}

func TestNoOptionIsNeededToGuessOrToPanic(t *testing.T) {
	s := New(Options{})
	if !s.options.Guesses.Allow(addrPort("192.0.2.1:5").Addr()) || s.options.Panics.Count() != 0 {
		t.Error("the defaults do not work")
	}
	if addrPort("nonsense").IsValid() || addrPort("[::ffff:192.0.2.1]:5").String() != "192.0.2.1:5" {
		t.Error("addresses are not read as they are written")
	}
}
