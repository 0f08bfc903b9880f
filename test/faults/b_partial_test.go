package faults

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// bomb begins messages of a length on many chunk streams and goes on with all of
// them in turn, for so many rounds, from the given one on. It reports whether the
// server took it.
func (a *attacker) bomb(streams, length, piece, from, rounds int) bool {
	payload := make([]byte, piece)
	for round := from; round < from+rounds; round++ {
		for s := range byte(streams) {
			start := goOn(4 + s)
			if round == 0 {
				start = header(4+s, length, rtmp.TypeVideo, a.Stream)
			}
			if !a.say(start, payload) {
				return false
			}
		}
	}
	return true
}

func TestPartialMessagesAreRefusedAtTheBudget(t *testing.T) {
	t.Parallel()
	f := begin(t, "B1")
	n := f.scale(4, 64)
	f.assault(n, asConnected, func(a *attacker, _ int) {
		if err := a.SetChunkSize(rtmp.DefaultChunkSize); err != nil {
			f.Error(err)
		}
		a.bomb(60, 64<<10, rtmp.DefaultChunkSize, 0, 600)
		if !a.isClosed() {
			f.Error("the budget of a newcomer does not end")
		}
	})
	f.wantEnded("limit exceeded", n)

	const streams, piece, held = 16, 60_000, 6 // 5.5 MiB each, which take twice as much at most
	publishers := make([]*attacker, f.scale(3, 16))
	before := f.vitals().heap
	crowd(len(publishers), func(i int) {
		a, err := f.attack(i, asPublisher)
		if err == nil && a.bomb(streams, rtmp.MaxMessageSize, piece, 0, held) {
			err = a.answers()
		}
		if err != nil {
			f.Errorf("a publisher with 5 MiB in incomplete messages: %v", err)
			return
		}
		publishers[i] = a
	})
	rise := f.vitals().heap - before
	f.figure("clients", n+len(publishers))
	f.figure("heap of each", megabytes(rise/int64(len(publishers))))
	if most := int64(len(publishers)) * (16 << 20) * 12 / 10; rise > most+moreHeap {
		f.Errorf("%d publishers took %s", len(publishers), megabytes(rise))
	}
	crowd(len(publishers), func(i int) {
		if a := publishers[i]; a != nil {
			a.bomb(streams, rtmp.MaxMessageSize, piece, held, 20)
			if !a.isClosed() {
				f.Error("the budget of a publisher does not end")
			}
		}
	})
	f.wantEnded("limit exceeded", n+len(publishers))
}

// B2: what is announced costs nothing, and what trickles in costs what came.
func TestMessagesByTheByteCostWhatCame(t *testing.T) {
	f := begin(t, "B2")
	n := f.scale(250, 1000)
	publishers := make([]*attacker, n)
	crowd(n, func(i int) {
		a, err := f.attack(i/4, asPublisher)
		if err != nil {
			f.Error(err)
			return
		}
		publishers[i] = a
	})
	if f.Failed() {
		return
	}
	before := f.vitals()
	for _, a := range publishers {
		a.say(header(6, rtmp.MaxMessageSize, rtmp.TypeVideo, a.Stream))
	}
	start := time.Now()
	const patience = 30 * time.Second // of the server, with publishers
	limit := time.Duration(f.scale(4, int((patience+2*late)/time.Second))) * time.Second
	bytesSent, open := 0, n
	for time.Since(start) < limit && open > 0 {
		open = 0
		for _, a := range publishers {
			if a.say([]byte{0x17}) {
				open++
			}
		}
		bytesSent += open
		stage.Pause(f.bounded(), time.Second)
	}
	after := f.vitals()
	f.figure("connections", n)
	f.figure("bytes", bytesSent)
	f.figure("heap for them", megabytes(after.heap-before.heap))
	if rise := after.heap - before.heap; rise > 64<<20 {
		f.Errorf("%d messages of 16 MiB by the byte took %s", n, megabytes(rise))
	}
	if *long {
		f.figure("closed after", time.Since(start).Round(time.Second))
		f.wantEnded("publisher sent no media", n)
	}
	f.joinsAtOnce()
}

// All incomplete messages together have a quarter of the memory.
func TestIncompleteMessagesOfAllFitIntoMemory(t *testing.T) {
	const limit = 256 << 20
	f := begin(t, "B2", "MEMORY_LIMIT_MB=256")
	n := f.scale(40, 160)
	var taken atomic.Int64
	most := residentDuring(f, func() {
		f.assault(n, asPublisher, func(a *attacker, _ int) {
			start, piece := header(6, rtmp.MaxMessageSize, rtmp.TypeVideo, a.Stream), make([]byte, 60_000)
			for range 140 { // 8 MiB
				if !a.say(start, piece) {
					return
				}
				start = goOn(6)
				taken.Add(int64(len(piece)))
			}
			_ = a.answers()
		})
	})
	f.figure("publishers", n)
	f.figure("sent", megabytes(taken.Load()))
	f.figure("most memory", megabytes(most))
	f.figure("closed", f.ended("incomplete messages of all connections too long"))
	if most > limit {
		f.Errorf("the server took %s", megabytes(most))
	}
	if f.ended("incomplete messages of all connections too long") == 0 {
		f.Error("nobody was closed for it")
	}
}

// noop is a command of a size that means nothing.
func noop(size int) []byte {
	b := append([]byte("\x02\x00\x04noop\x00"), make([]byte, 8)...)
	b = append(b, 5, 2)
	rest := size - len(b) - 2
	return append(append(b, byte(rest>>8), byte(rest)), bytes.Repeat([]byte{'x'}, rest)...)
}

// B3: lengths at the limit of a type, before and after publish.
func TestMessagesLongerThanMayBeAreRefusedAtTheirHeader(t *testing.T) {
	t.Parallel()
	f := begin(t, "B3")
	type trial struct {
		at     attackState
		kind   rtmp.MessageType
		length int
		fits   bool
	}
	var trials []trial
	for at, limits := range map[attackState]rtmp.Limits{asConnected: rtmp.UnacceptedLimits, asPublisher: rtmp.AcceptedLimits} {
		for kind, limit := range map[rtmp.MessageType]int{
			rtmp.TypeCommand: limits.Command, rtmp.TypeData: limits.Data, rtmp.TypeAudio: limits.Audio, rtmp.TypeVideo: limits.Video,
		} {
			for _, length := range []int{limit - 1, limit, limit + 1, rtmp.MaxMessageSize} {
				if length <= rtmp.MaxMessageSize && !slices.Contains(trials, trial{at, kind, length, true}) {
					trials = append(trials, trial{at, kind, length, length <= limit})
				}
			}
		}
	}
	var refused atomic.Int64
	crowd(len(trials), func(i int) {
		one := trials[i]
		a, err := f.attack(i, one.at)
		if err != nil {
			f.Error(err)
			return
		}
		name := fmt.Sprintf("%v of %d bytes, %s", one.kind, one.length, one.at)
		if !one.fits { // the body does not even begin
			refused.Add(1)
			if !a.say(header(5, one.length, one.kind, a.Stream)) || !a.isClosed() {
				f.Errorf("%s was begun", name)
			}
			return
		}
		payload := make([]byte, one.length)
		if one.kind == rtmp.TypeCommand {
			payload = noop(one.length)
		}
		m := rtmp.Message{Type: one.kind, ChunkStream: 5, Stream: a.Stream, Payload: payload}
		a.say(rtmp.AppendMessage(nil, m, 60_000))
		if err := a.answers(); err != nil {
			f.Errorf("%s: %v", name, err)
		}
		_ = a.Conn.Close()
	})
	f.figure("messages", len(trials))
	f.figure("refused", refused.Load())
	f.wantEnded("limit exceeded", int(refused.Load()))
}

// B9: what is given up is given back, to the connection and to the server.
func TestMessagesThatAreGivenUpTakeNothing(t *testing.T) {
	t.Parallel()
	f := begin(t, "B9")
	abort := func(chunkStream uint32) []byte { return rtmp.AppendMessage(nil, rtmp.Abort(chunkStream), 128) }
	n, times := f.scale(25, 1200), 80 // what a client may say at once
	wave := 25
	for range n / wave {
		f.assault(wave, asConnected, func(a *attacker, _ int) {
			part := append(header(6, 60_000, rtmp.TypeVideo, a.Stream), make([]byte, 15<<10)...)
			if err := a.SetChunkSize(15 << 10); err != nil {
				f.Error(err)
			}
			for range times {
				a.say(part, abort(6))
			}
			a.say(abort(7), abort(0x80000006), abort(0xFFFFFFFF))
			if err := a.answers(); err != nil {
				f.Errorf("after aborts: %v", err)
			}
		})
	}
	f.assault(2, asPublisher, func(a *attacker, _ int) { // more than fits at once
		part := append(header(6, rtmp.MaxMessageSize, rtmp.TypeVideo, a.Stream), make([]byte, 60_000)...)
		more := goOn(6, make([]byte, 60_000)...)
		for range 5 {
			a.say(part, bytes.Repeat(more, 120), abort(6))
		}
		if err := a.answers(); err != nil {
			f.Errorf("after aborts of 7 MiB: %v", err)
		}
	})
	f.assault(4, asConnected, func(a *attacker, _ int) {
		a.say(bytes.Repeat(abort(6), 2000))
		if err := a.answers(); !errors.Is(err, errGone) {
			f.Errorf("thousands of aborts: %v", err)
		}
	})
	f.wantEnded("too many control messages", 4)
	f.figure("messages given up", n*times)
}
