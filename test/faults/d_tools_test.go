package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// publishes starts to publish a channel. What the server says is read and kept.
func (f *fault) publishes(channel string) (*stage.Client, *stage.Journal[rtmp.Message]) {
	f.Helper()
	c, err := dial(f, host(500), f.server.Addr, nil)
	if err == nil {
		err = errors.Join(c.Start(channel, "key", stage.Publishing), c.SetChunkSize(60_000))
	}
	if err != nil {
		f.Fatal(err)
	}
	return c, c.Record()
}

// watches starts to play a channel from the nth address, and reads nothing more.
func (f *fault) watches(n int, channel string) *stage.Client {
	f.Helper()
	c, err := dial(f, host(n), f.server.Addr, nil)
	if err == nil {
		err = c.Start(channel, "key", stage.Watching)
	}
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// show is a stream of frames of H.264.
type show struct {
	size  int // of a frame, in bytes
	every time.Duration
	group int // frames from one keyframe to the next, 0 if there is none
}

// frame has its number behind the five bytes of its head, and then all over.
func (s show) frame(stream uint32, number int) rtmp.Message {
	count := binary.BigEndian.AppendUint32(nil, uint32(number))
	m := rtmp.Message{
		Type: rtmp.TypeVideo, ChunkStream: 6, Stream: stream, Timestamp: uint32(time.Duration(number) * s.every / time.Millisecond),
		Payload: append([]byte{0x27, 1, 0, 0, 0}, bytes.Repeat(count, max(1, s.size/len(count)))...),
	}
	if s.group > 0 && number%s.group == 0 {
		m.Payload[0] = 0x17
	}
	return m
}

// run publishes in real time until ctx ends, or the connection.
func (s show) run(ctx context.Context, c *stage.Client) (frames int, err error) {
	start := time.Now()
	for n := 0; stage.Pause(ctx, time.Until(start.Add(time.Duration(n)*s.every))); n++ {
		if err := c.WriteMessage(s.frame(c.Stream, n)); err != nil {
			return n, err
		}
		frames++
	}
	return frames, nil
}

// meanwhile does something in the background until the returned function is called,
// or the test ends.
func (f *fault) meanwhile(do func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(f.bounded())
	var running sync.WaitGroup
	running.Go(func() { do(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	f.Cleanup(stop)
	return stop
}

// airs publishes a show until the returned function is called.
func (f *fault) airs(channel string, s show) (stop func()) {
	f.Helper()
	c, _ := f.publishes(channel)
	return f.meanwhile(func(ctx context.Context) { _, _ = s.run(ctx, c) })
}

// kernel is what the kernel holds for the sockets of a server's port, in bytes, and
// how much of what came was not read.
type kernel struct{ memory, unread int64 }

var socketMemory = regexp.MustCompile(`skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)`)

// kernel asks the kernel.
func (f *fault) kernel() (k kernel) {
	f.Helper()
	_, port, _ := bytes.Cut([]byte(f.server.Addr), []byte(":"))
	out, err := exec.Command("ss", "-tnmOH", "state", "established", "sport", "=", ":"+string(port)).Output()
	if err != nil {
		f.Fatal("ss: ", err)
	}
	for line := range bytes.Lines(out) {
		fields := bytes.Fields(line)
		if len(fields) < 5 {
			continue
		}
		unread, _ := strconv.ParseInt(string(fields[0]), 10, 64)
		k.unread += unread
		match := socketMemory.FindSubmatch(line)
		if match == nil {
			f.Fatalf("ss does not tell the memory of a socket: %s", line)
		}
		for _, part := range match[1:] {
			n, _ := strconv.ParseInt(string(part), 10, 64)
			k.memory += n
		}
	}
	return k
}

// budget returns how much of a budget of the server is used.
func (f *fault) budget(name string) int64 {
	f.Helper()
	return int64(f.metric("rtmp_budget_used", `budget="`+name+`"`))
}

// awaitEnded wants n sessions to end for a reason in time.
func (f *fault) awaitEnded(reason string, n int, within time.Duration) {
	f.Helper()
	start := time.Now()
	for f.ended(reason) < n {
		if time.Since(start) > within {
			f.Errorf("%d sessions ended for %q within %v, want %d", f.ended(reason), reason, within, n)
			return
		}
		stage.Pause(f.bounded(), 50*time.Millisecond)
	}
}
