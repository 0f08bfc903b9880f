package faults

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// busyServer is a server with a session in each state, and the backend that it asks.
type busyServer struct {
	*fault
	backend                    *stage.Backend
	publisher, player, waiting member
}

const hanging = "hanging" // a channel about which the backend says nothing

// beginBusy has sessions in all states: before and in the handshakes, connected,
// asking whether it may publish, publishing, watching, waiting, and not reading any
// more. The canary has ended well before the stop.
func beginBusy(t *testing.T) *busyServer {
	t.Helper()
	b := &busyServer{backend: stage.StartBackend(t, "", nil)}
	b.backend.Answer = func(w http.ResponseWriter, e stage.Event) {
		if e.Channel == hanging && e.Event == "start" {
			b.backend.Take(w, stage.Hangs(""))
			return
		}
		b.backend.Accept(w, e)
	}
	b.fault = begin(t, "I6", callback(b.backend)...)
	for i, addr := range []string{b.server.Addr, b.server.SecureAddr()} {
		for _, say := range []string{"", "\x03", "\x16\x03\x01"} {
			r, err := b.connect(host(i), addr)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = r.Write([]byte(say))
		}
	}
	idle, err := dial(b.fault, host(3), b.server.Addr, nil)
	if err == nil {
		_, err = idle.Connect(rtmp.ConnectOptions{App: "idle"})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.stall("stalled")
	b.publisher = b.must(host(4), "channel", stage.Publishing)
	b.player = b.must(host(5), "channel", stage.Watching)
	b.waiting = b.must(host(6), "nobody", stage.Watching)
	b.publisher.feed(b.lasting(50 * time.Millisecond))
	undecided, err := dial(b.fault, host(7), b.server.Addr, nil)
	if err != nil {
		b.Fatal(err)
	}
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		_ = undecided.Start(hanging, "key", stage.Publishing)
	}()
	t.Cleanup(func() {
		_ = undecided.Conn.Close()
		<-asking
	})
	b.eventually(stage.Soon, "the backend is asked", func() bool { return b.backend.Started(hanging) > 0 })
	b.eventually(stage.Soon, "pictures", func() bool { return b.player.saw(stage.Keyframe) })
	b.canary.finish()
	b.restarted = true
	return b
}

// stall has a player that does not read, of more than the buffers in between hold.
func (b *busyServer) stall(channel string) {
	b.Helper()
	c, err := dial(b.fault, host(1), b.server.Addr, nil)
	if err == nil {
		err = c.Conn.SetReadBuffer(4 << 10)
	}
	if err == nil {
		err = c.Start(channel, "key", stage.Watching)
	}
	if err != nil {
		b.Fatal(err)
	}
	publisher := b.must(host(2), channel, stage.Publishing)
	for n := range 400 { // 8 MB
		if err := publisher.WriteMessage(stage.CanaryMessage(publisher.Stream, n)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestASignalEndsEveryStateOfASession(t *testing.T) {
	loops := 10
	if *long {
		loops = 50
	}
	for i := range loops {
		signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[i%2]
		t.Run(fmt.Sprint(signal, i/2), func(t *testing.T) {
			t.Parallel()
			b := beginBusy(t)
			b.repeated = i > 0
			b.figure("loops", loops)
			b.server.Stopped = true
			start := time.Now()
			b.server.Signal(signal)
			b.server.AwaitExit(stage.StopLimit)
			b.figure("stopped after", time.Since(start).Round(10*time.Millisecond))
			if b.server.Status != nil {
				t.Errorf("the server ended with %v", b.server.Status)
			}
			b.server.CheckOutput()
			b.figure("starts, each stopped", b.pairs(b.backend))
			b.told("publisher", b.publisher, rtmp.CodeUnpublishSuccess)
			b.told("player", b.player, stage.StreamEOF, rtmp.CodePlayUnpublishNotify)
			b.told("player that waits", b.waiting, stage.StreamEOF, rtmp.CodePlayUnpublishNotify)
		})
	}
}

// told wants a member to have been told that it is over.
func (b *busyServer) told(who string, m member, all ...string) {
	b.Helper()
	if !m.seen.AwaitEnd(stage.Soon) {
		b.Errorf("the %s is still connected", who)
	}
	events := stage.Events(m.seen.All())
	for _, want := range all {
		if !slices.Contains(events, want) {
			b.Errorf("the %s was told %q, not %q", who, events, want)
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			b := beginBusy(t)
			b.server.Stopped = true
			b.server.Signal(signal)
			b.server.AwaitLine("msg=stopping")
			second := time.Now()
			// The line comes a moment before the server lets go of the signal.
			b.eventually(stage.StopLimit, "the end", func() bool {
				b.server.Signal(signal)
				select {
				case <-b.server.Exited:
					return true
				default:
					return false
				}
			})
			took := time.Since(second)
			b.figure("ended after", took.Round(10*time.Millisecond))
			status, ok := b.server.Cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || status.Signal() != signal {
				t.Errorf("it was not the second signal that ended the server, but %v", b.server.Status)
			}
			if took > time.Second {
				t.Errorf("the second signal took %v", took)
			}
			b.server.CheckOutput()
		})
	}
}
