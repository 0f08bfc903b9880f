package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// B7: a chunk costs the server as much as a hundred bytes do.
func TestTinyChunksAtFullSpeed(t *testing.T) {
	f := begin(t, "B7")
	cost := func(size, bytesSent int) (tookEach time.Duration, refused bool) {
		a, err := f.attack(size%100, asPublisher)
		if err == nil {
			err = a.SetChunkSize(size)
		}
		if err != nil {
			f.Fatal(err)
		}
		const length = 8 << 20
		wire := rtmp.AppendMessage(nil, picture(a.Stream, 1, length), size)
		busy, sent := f.processor(), 0
		for sent < bytesSent && a.say(wire) {
			sent += length
			if a.answers() != nil {
				break
			}
		}
		busy = f.processor() - busy
		refused = a.isClosedBy(late)
		_ = a.Conn.Close()
		return busy / time.Duration(max(sent>>20, 1)), refused
	}
	mebibytes := f.scale(32, 256)
	for _, size := range []int{60_000, 128} {
		each, refused := cost(size, mebibytes<<20)
		f.figure(fmt.Sprintf("processor time for 1 MiB in chunks of %d", size), each)
		f.figure(fmt.Sprintf("closed at %d", size), refused)
	}
	start := time.Now()
	if _, refused := cost(1, mebibytes<<20); !refused {
		f.Error("chunks of one byte are read for ever")
	}
	f.figure("chunks of 1 closed after", time.Since(start).Round(time.Millisecond))
	if f.ended("too many messages") == 0 {
		f.Error("it was not for the number of chunks")
	}
}

// isClosedBy reports whether the server closes the connection within a time.
func (a *attacker) isClosedBy(limit time.Duration) bool {
	_, ok := raw{a.Conn}.outlived(limit)
	return ok
}

func TestAcknowledgementWindowsOfAllSizes(t *testing.T) {
	t.Parallel()
	f := begin(t, "B11")
	windows := []uint32{0, 1, 100, 4096, 1 << 31, 1<<32 - 1}
	const length, pictures = 256 << 10, 24
	var bytesBack atomic.Int64
	f.assault(len(windows), asPublisher, func(a *attacker, i int) {
		answers := make(chan int64, 1)
		go func() { // a client that reads, so that nothing is left out
			n, _ := io.Copy(io.Discard, a.Conn)
			answers <- n
		}()
		a.say(rtmp.AppendMessage(nil, rtmp.WindowAckSize(windows[i]), 60_000))
		for n := range pictures {
			a.say(rtmp.AppendMessage(nil, picture(a.Stream, n, length), 60_000))
			a.say(rtmp.AppendMessage(nil, rtmp.Acknowledgement(1<<32-1), 60_000)) // of what was never sent
		}
		_ = a.Conn.CloseWrite()
		got, most := <-answers, int64(length*pictures/100)
		if got > most || got == 0 && windows[i] < 1<<20 {
			f.Errorf("a window of %d was answered with %d bytes, want at most %d", windows[i], got, most)
		}
		bytesBack.Store(max(bytesBack.Load(), got))
	})
	f.figure("windows", len(windows))
	f.figure("answers to 6 MiB", fmt.Sprint(bytesBack.Load(), " bytes"))
	f.wantEnded("closed by client", len(windows))

	f.checkWithoutAcknowledgements()
}

// checkWithoutAcknowledgements wants a player that never acknowledges to get
// several windows of media.
func (f *fault) checkWithoutAcknowledgements() {
	f.Helper()
	r, err := f.connect(host(1), f.server.Addr)
	if err == nil {
		err = r.handshake()
	}
	if err != nil {
		f.Fatal(err)
	}
	a, err := f.attack(2, asNewcomer)
	if err == nil {
		err = a.Start("attack", "key", stage.Publishing)
	}
	if err != nil {
		f.Fatal(err)
	}
	_, _ = r.Write(session("play")[1+2*1536:])
	reader := rtmp.NewReader(bufio.NewReader(r), rtmp.AcceptedLimits)
	_ = r.SetReadDeadline(time.Now().Add(4 * stage.Soon))
	const messages = 40
	for n := 0; n < messages; {
		m, err := reader.ReadMessage()
		if err != nil {
			f.Fatalf("a player that acknowledges nothing got %d messages: %v", n, err)
		}
		switch m.Type {
		case rtmp.TypeVideo:
			n++
		case rtmp.TypeCommand:
			if stage.Describe(m) != rtmp.CodePlayStart {
				continue
			}
			for k := range messages {
				a.say(rtmp.AppendMessage(nil, picture(a.Stream, k, 256<<10), 60_000))
			}
		}
	}
}

// storms are control messages and commands that real clients send, too.
func storms() map[string][]byte {
	control := func(m rtmp.Message) []byte { return rtmp.AppendMessage(nil, m, 128) }
	call := func(stream uint32, name string, args ...any) []byte {
		m := rtmp.Command{Name: name, Transaction: 5, Args: args}.Message(stream)
		m.ChunkStream = rtmp.ChunkStreamFor(m.Type)
		return rtmp.AppendMessage(nil, m, 128)
	}
	return map[string][]byte{
		"ping":            ping(1),
		"pong":            control(rtmp.UserControl(rtmp.EventPingResponse, 1)),
		"buffer length":   control(rtmp.UserControl(rtmp.EventSetBufferLength, 1, 3000)),
		"unknown event":   control(rtmp.UserControl(77, 1)),
		"chunk size":      control(rtmp.SetChunkSize(60_000)),
		"abort":           control(rtmp.Abort(9)),
		"acknowledgement": control(rtmp.Acknowledgement(1)),
		"window":          control(rtmp.WindowAckSize(1 << 20)),
		"bandwidth":       control(rtmp.SetPeerBandwidth(1<<20, rtmp.LimitDynamic)),
		"releaseStream":   call(0, "releaseStream", "key"),
		"FCPublish":       call(0, "FCPublish", "key"),
		"FCSubscribe":     call(0, "FCSubscribe", "key"),
		"deleteStream":    call(0, "deleteStream", 77.0),
		"closeStream":     call(77, "closeStream"),
		"pause":           call(1, "pause", true, 0.0),
		"seek":            call(1, "seek", 0.0),
		"receiveAudio":    call(1, "receiveAudio", true),
		"receiveVideo":    call(1, "receiveVideo", true),
		"getStreamLength": call(0, "getStreamLength", "key"),
		"_checkbw":        call(0, "_checkbw"),
		"unknown command": call(0, "attack"),
		"_result":         call(0, "_result"),
		"onStatus":        call(0, "onStatus"),
	}
}

// B12, and D13 of it: internal/server has the exact rate.
func TestStormsOfControlMessages(t *testing.T) {
	t.Parallel()
	f := begin(t, "B12")
	n := f.scale(2000, 100_000)
	list := storms()
	storming := 0
	var longest atomic.Int64
	for _, at := range []attackState{asConnected, asPublisher, asPlayer} {
		var names []string
		for name := range list {
			names = append(names, name)
		}
		storming += len(names)
		f.assault(len(names), at, func(a *attacker, i int) {
			start := time.Now()
			wire := bytes.Repeat(list[names[i]], 100)
			gone := make(chan struct{})
			go func() { // reading meanwhile, as a client does
				defer close(gone)
				if !a.isClosedBy(2 * stage.Soon) {
					f.Errorf("%s, %s: goes on", at, names[i])
				}
			}()
			for sent := 0; sent < n && a.say(wire); sent += 100 {
			}
			<-gone
			longest.Store(max(longest.Load(), int64(time.Since(start))))
		})
	}
	f.figure("storms", storming)
	f.figure("messages of each", n)
	f.figure("closed after at most", time.Duration(longest.Load()).Round(time.Millisecond))
	f.wantEnded("too many control messages", storming)
	f.joinsAtOnce()
}
