package faults

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// commandNames are the commands that the server knows, and one that it does not.
var commandNames = []string{
	"connect", "createStream", "deleteStream", "closeStream", "publish", "releaseStream", "FCPublish", "FCUnpublish",
	"play", "pause", "pauseRaw", "seek", "receiveAudio", "receiveVideo", "FCSubscribe", "FCUnsubscribe",
	"getStreamLength", "_checkbw", "checkBandwidth", "set_playlist", "close", "_result", "_error", "onStatus", "attack",
}

// commandArguments are values of each type.
var commandArguments = []any{
	nil, amf.Undefined{}, true, 0.0, 1.0, -1.0, 1e300, math.NaN(), math.Inf(1), "", "key", "\x00/..\n", string(make([]byte, 40_000)),
	amf.Object{}, amf.Object{{Name: "app", Value: 7.0}}, amf.ECMAArray{{Name: "app", Value: "x"}}, amf.StrictArray{nil, 1.0},
	amf.Date{}, amf.Unsupported{},
}

// C4: FuzzServerSession and TestCommandsWithAnyArguments of internal/server have
// more of them.
func TestCommandsWithEachArgumentWrong(t *testing.T) {
	t.Parallel()
	f := begin(t, "C4", "KEY_GUESSES_PER_MINUTE=0")
	depths := f.scale(2, 5)
	var said, closed atomic.Int64
	const lanes = 8 // at each state
	crowd(len(allStates)*lanes, func(lane int) {
		at := allStates[lane%len(allStates)]
		var a *attacker
		calls := 0
		for i := lane / len(allStates); i < len(commandNames)*len(commandArguments)*depths; i += lanes {
			if a == nil || calls == 30 { // more is too much talk
				if a != nil {
					_ = a.Conn.Close()
				}
				var err error
				if a, err = f.attack(lane, at); err != nil {
					f.Error(err)
					return
				}
				calls = 0
			}
			name, value, place := commandNames[i%len(commandNames)], commandArguments[i/len(commandNames)%len(commandArguments)], i/len(commandNames)/len(commandArguments)
			payload := amf.Append(amf.Append(nil, name), 4.0)
			for range place {
				payload = amf.Append(payload, nil)
			}
			stream := a.Stream * uint32(i%2)
			m := rtmp.Message{Type: rtmp.TypeCommand, ChunkStream: 3, Stream: stream, Payload: amf.Append(payload, value)}
			if a.WriteMessage(m) == nil {
				said.Add(1)
			}
			calls++
			if err := a.answers(); errors.Is(err, errGone) {
				closed.Add(1)
				a = nil
			} else if err != nil {
				f.Errorf("%s with %.50q in place %d, %s: %v", name, fmt.Sprint(value), place, at, err)
				a = nil
			}
		}
		if a != nil {
			_ = a.Conn.Close()
		}
	})
	f.figure("calls", said.Load())
	f.figure("closed for it", closed.Load())
}

// A walkStep is what a client does in a walk; walkModel tells what has to come of it.
type walkStep byte

const (
	stepConnect walkStep = iota
	stepCreate
	stepPublish
	stepPlay
	stepMedia
	stepDelete
	stepClose
	stepUnpublish
	walkSteps
)

// walkModel is what the server is to know of a client whose walk is on stream 1.
type walkModel struct {
	connected, closed bool
	exists            bool
	created           int
	does              walkStep // stepPublish, stepPlay, or 0
	starts            [2]int   // publications and plays
}

func (m *walkModel) take(s walkStep) {
	switch {
	case m.closed:
	case s == stepConnect:
		m.closed, m.connected = m.connected, true
	case !m.connected:
		m.closed = true
	case s == stepCreate:
		m.created++
		m.exists = m.exists || m.created == 1
		m.closed = m.created > 8 && m.exists
	case s == stepPublish || s == stepPlay:
		m.closed = !m.exists || m.does != 0
		if !m.closed {
			m.does = s
			m.starts[s-stepPublish]++
		}
	case s == stepDelete:
		m.exists, m.does = false, 0
	case s == stepClose:
		m.does = 0
	case s == stepUnpublish && m.does == stepPublish:
		m.does = 0
	}
}

// wire is what a client says for a step.
func (s walkStep) wire(channel string, i int) []byte {
	call := func(stream uint32, name string, object any, args ...any) []byte {
		m := rtmp.Command{Name: name, Transaction: 1, Object: object, Args: args}.Message(stream)
		m.ChunkStream = 3
		return rtmp.AppendMessage(nil, m, rtmp.DefaultChunkSize)
	}
	switch s {
	case stepConnect:
		return call(0, "connect", amf.Object{{Name: "app", Value: channel}})
	case stepCreate:
		return call(0, "createStream", nil)
	case stepPublish:
		return call(1, "publish", nil, "key")
	case stepPlay:
		return call(1, "play", nil, "key")
	case stepDelete:
		return call(0, "deleteStream", nil, 1.0)
	case stepClose:
		return call(1, "closeStream", nil)
	case stepUnpublish:
		return call(0, "FCUnpublish", nil, "key")
	default:
		return rtmp.AppendMessage(nil, picture(1, i, 100), rtmp.DefaultChunkSize)
	}
}

// walk does the steps and compares what comes of them with the model.
func (f *fault) walk(n int, walk []walkStep) error {
	a, err := f.attack(n, asNewcomer)
	if err != nil {
		return err
	}
	defer func() { _ = a.Conn.Close() }()
	var m walkModel
	var wire []byte
	for i, s := range walk {
		m.take(s)
		wire = append(wire, s.wire(a.channel, i)...)
	}
	var starts [2]int
	a.say(wire)
	err = a.hears(func(m rtmp.Message) {
		switch stage.Describe(m) {
		case rtmp.CodePublishStart:
			starts[0]++
		case rtmp.CodePlayStart:
			starts[1]++
		}
	})
	if err != nil && !errors.Is(err, errGone) {
		return err
	}
	if (err != nil) != m.closed {
		return fmt.Errorf("closed is %v, want %v", err != nil, m.closed)
	}
	if err == nil && starts != m.starts {
		return fmt.Errorf("%v publications and plays were accepted, want %v", starts, m.starts)
	}
	return nil
}

// C6: test/simulation walks further, with many clients.
func TestCommandsInEveryOrder(t *testing.T) {
	t.Parallel()
	f := begin(t, "C6")
	var walks [][]walkStep
	const length = 3 // of those that are all tried
	for i := range int(math.Pow(float64(walkSteps), length)) {
		walk := []walkStep{}
		for range length {
			walk = append(walk, walkStep(i%int(walkSteps)))
			i /= int(walkSteps)
		}
		walks = append(walks, walk, append([]walkStep{stepConnect, stepCreate}, walk...))
	}
	random := rand.New(rand.NewPCG(1, 6))
	for range f.scale(300, 20_000) {
		walk := []walkStep{stepConnect, stepCreate}
		for range 1 + random.IntN(12) {
			walk = append(walk, walkStep(random.IntN(int(walkSteps))))
		}
		walks = append(walks, slices.Delete(walk, 0, random.IntN(2)))
	}
	const lanes = 16
	crowd(lanes, func(lane int) {
		for i := lane; i < len(walks); i += lanes {
			if err := f.walk(i%2000, walks[i]); err != nil {
				f.Errorf("steps %v: %v", walks[i], err)
			}
		}
	})
	f.figure("walks", len(walks))
}

// C7: whoever publishes one channel can neither take nor disturb another.
func TestNobodyGetsIntoAnothersChannel(t *testing.T) {
	t.Parallel()
	f := begin(t, "C7")
	other, err := f.attack(1, asPublisher)
	if err != nil {
		f.Fatal(err)
	}
	watcher := f.watch(other.channel)
	again := func(command, channel string) []byte {
		object := amf.Object{{Name: "app", Value: channel}, {Name: "tcUrl", Value: "rtmp://server/" + channel}}
		args := []any{"key"}
		if command != "connect" {
			object, args = nil, []any{"key", "live"}
		}
		m := rtmp.Command{Name: command, Transaction: 9, Object: object, Args: args}.Message(1)
		m.ChunkStream = 3
		return rtmp.AppendMessage(nil, m, 60_000)
	}
	tried := 0
	for _, at := range []attackState{asConnected, asPublisher, asPlayer} {
		for _, command := range []string{"connect", "publish", "play"} {
			if at == asConnected && command != "connect" {
				continue
			}
			tried++
			a, err := f.attack(2, at)
			if err != nil {
				f.Fatal(err)
			}
			video := rtmp.AppendMessage(nil, picture(a.Stream, 666, 500), 60_000)
			a.say(again(command, other.channel), bytes.Repeat(video, 20))
			if !a.isClosed() {
				f.Errorf("%s and then %s: goes on", at, command)
			}
			if at != asPublisher {
				continue
			}
			free, err := f.attack(3, asNewcomer)
			if err == nil {
				err = free.Start(a.channel, "key", stage.Publishing)
			}
			if err != nil {
				f.Errorf("the channel of who tried is not free: %v", err)
			}
			_ = free.Conn.Close()
		}
	}
	f.figure("attacks", tried)
	f.wantEnded("command out of order", tried)
	// Another key is another's, and so is media on a stream that was not created.
	stranger, err := f.attack(4, asConnected)
	if err != nil {
		f.Fatal(err)
	}
	for stream := range uint32(10) {
		stranger.say(rtmp.AppendMessage(nil, picture(stream, 666, 500), 60_000))
	}
	if err := stranger.answers(); err != nil {
		f.Errorf("media on streams that publish nothing: %v", err)
	}
	const length = 300
	if err := other.WriteMessage(picture(other.Stream, 1, length)); err != nil {
		f.Fatal(err)
	}
	f.checkPictures("the other channel", other, watcher, 1, length)
}

func TestMessageStreamsWithoutEnd(t *testing.T) {
	t.Parallel()
	f := begin(t, "C10")
	call := func(name string, args ...any) []byte {
		m := rtmp.Command{Name: name, Transaction: 2, Args: args}.Message(0)
		m.ChunkStream = 3
		return rtmp.AppendMessage(nil, m, 128)
	}
	waves, flood := f.scale(1, 10), f.scale(2000, 20_000)
	const n = 50
	creations := bytes.Repeat(call("createStream"), flood)
	var turnover []byte // each is gone before the next one comes
	for id := range flood {
		turnover = append(append(turnover, call("deleteStream", float64(id+1))...), call("createStream")...)
	}
	for wave := range waves {
		f.assault(n, asNewcomer, func(a *attacker, _ int) {
			a.say(creations)
			if !a.isClosed() {
				f.Error("streams before connect are created")
			}
		})
		f.assault(n, asConnected, func(a *attacker, _ int) { // who has one
			a.say(bytes.Repeat(call("createStream"), 7))
			if err := a.answers(); err != nil {
				f.Errorf("8 streams: %v", err)
			}
			a.say(creations)
			if !a.isClosed() {
				f.Error("more than 8 streams are created")
			}
		})
		f.assault(n, asConnected, func(a *attacker, _ int) {
			a.say(turnover)
			if !a.isClosed() {
				f.Error("streams are created and deleted for ever")
			}
		})
		f.wantEnded("command out of order", (wave+1)*n)
		f.wantEnded("limit exceeded", (wave+1)*n)
		f.wantEnded("too many control messages", (wave+1)*n)
	}
	f.figure("connections", 3*n*waves)
}

// C11: commands that name what belongs to another connection.
func TestNobodyEndsAnothersStream(t *testing.T) {
	t.Parallel()
	f := begin(t, "C11")
	var said atomic.Int64
	n := f.scale(4, 40)
	for _, at := range []attackState{asConnected, asPublisher, asPlayer} {
		f.assault(n, at, func(a *attacker, _ int) {
			for _, name := range []string{
				"releaseStream", "FCPublish", "FCUnpublish", "closeStream", "deleteStream", "FCUnsubscribe", "releaseStream",
			} {
				for _, arg := range []any{"key", stage.CanaryChannel, stage.CanaryChannel + "/key", "/" + stage.CanaryChannel + "/key", 2.0, 99.0} {
					m := rtmp.Command{Name: name, Transaction: float64(2 + said.Load()), Args: []any{arg}}.Message(0)
					_ = a.WriteMessage(m)
					said.Add(1)
				}
			}
			if err := a.answers(); err != nil {
				f.Errorf("%s: %v", at, err)
			}
		})
	}
	f.figure("commands", said.Load())
	start := time.Now()
	f.canary.await(10)
	f.figure("10 messages of the canary in", time.Since(start).Round(time.Millisecond))
	if line := f.server.AwaitLine("msg=publish", "channel="+stage.CanaryChannel); line == "" {
		f.Error("the canary was never live")
	}
}
