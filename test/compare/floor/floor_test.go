//go:build linux

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startFloor serves on a free port until the test ends.
func startFloor(t *testing.T, batch time.Duration) (addr string) {
	t.Helper()
	l, err := newLoop(batch, 0)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	looped, accepted := make(chan struct{}), make(chan struct{})
	go func() { defer close(looped); l.run() }()
	go func() { defer close(accepted); _ = accept(listener, l) }()
	t.Cleanup(func() {
		_ = listener.Close()
		l.stop()
		<-accepted
		<-looped
	})
	return listener.Addr().String()
}

// playFrom joins as a player.
func playFrom(t *testing.T, addr string) *rtmp.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Connect(rtmp.ConnectOptions{App: "any"}); err != nil {
		t.Fatal(err)
	}
	id, err := client.CreateStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Play(id, "thing"); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestPlayersGetHeadersAndThenFramesWithoutAGap(t *testing.T) {
	for name, batch := range map[string]time.Duration{"one write a message": 0, "batches": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := startFloor(t, batch)
			for range 2 {
				checkFrames(t, playFrom(t, addr))
			}
		})
	}
}

func checkFrames(t *testing.T, client *rtmp.Client) {
	t.Helper()
	for _, want := range []rtmp.MessageType{rtmp.TypeVideo, rtmp.TypeAudio} {
		m, err := client.ReadMessage()
		if err != nil || m.Type != want || m.Payload[1] != 0 {
			t.Fatalf("in place of a sequence header: %+v, %v", m, err)
		}
	}
	// Frames are 33 or 34 ms apart, as 30 a second are.
	var last uint32
	for video := 0; video < 8; {
		m, err := client.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != rtmp.TypeVideo {
			continue
		}
		if gap := m.Timestamp - last; video > 0 && gap != 33 && gap != 34 {
			t.Errorf("a frame comes %d ms after the last one", gap)
		}
		last = m.Timestamp
		video++
	}
}

func TestBatchesAreAsLongAsWanted(t *testing.T) {
	stream, err := bench.NewStream(bench.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	var due []time.Duration
	for stream.Due() < batchTime {
		due = append(due, stream.Due())
		stream.Next(time.Time{})
	}
	for _, want := range []time.Duration{16, 20, 25, 40, 100, 350} {
		want *= time.Millisecond
		interval, err := intervalFor(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := meanBatch(due, interval); got < want*97/100 || got > want*103/100 {
			t.Errorf("for batches of %v the interval is %v, which makes them %v long", want, interval, got)
		}
	}
	if interval, err := intervalFor(13 * time.Millisecond); err != nil || interval != 0 {
		t.Errorf("for one write a message the interval is %v, %v", interval, err)
	}
}

func TestPlayersThatLeaveAreForgotten(t *testing.T) {
	l, err := newLoop(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.add(pair[0])
	l.writeAll()
	if len(l.players) != 1 {
		t.Fatalf("%d players after one joined", len(l.players))
	}
	_ = unix.Close(pair[1])
	l.makeOne()
	l.writeAll()
	if len(l.players) != 0 {
		t.Error("a player that left is kept")
	}
}

func TestPlayersThatFallBehindAreCutOff(t *testing.T) {
	l, err := newLoop(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.tail = ringSize
	if l.write(&player{fd: -1}) {
		t.Error("a player is kept whose bytes were overwritten")
	}
}

func TestMakingTheStreamAllocatesNothing(t *testing.T) {
	l, err := newLoop(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, l.makeOne); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestSealing(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if sealed := sealFor(gcm, time.Millisecond); sealed == 0 || sealed%recordSize != 0 {
		t.Errorf("%d bytes were sealed", sealed)
	}
	if used, err := cpuTime(); err != nil || used <= 0 {
		t.Errorf("the process took %v, %v", used, err)
	}
}
