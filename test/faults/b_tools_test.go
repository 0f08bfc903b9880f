package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// attackState is how far a client has come when it begins to misbehave.
type attackState string

const (
	asNewcomer  attackState = "before connect"
	asConnected attackState = "connected"
	asPublisher attackState = "publishing" // a channel of its own
	asPlayer    attackState = "playing"    // the canary
)

var allStates = []attackState{asNewcomer, asConnected, asPublisher, asPlayer}

// attacker is a client that goes on as it likes, once it has come somewhere.
type attacker struct {
	*stage.Client
	channel string
}

// attackerLife bounds the life of an attacker's connection, so that no test hangs.
const attackerLife = 3 * time.Minute

// attack brings a client from the nth address to a state. It announces chunks of
// 60,000 bytes when it connects, and has chunks of 128 bytes before.
func (f *fault) attack(n int, to attackState) (*attacker, error) {
	c, err := dial(f, host(n), f.server.Addr, nil)
	if err != nil {
		return nil, err
	}
	_ = c.Conn.SetDeadline(time.Now().Add(attackerLife))
	a := &attacker{Client: c, channel: fmt.Sprintf("attack-%d", attackers.Add(1))}
	switch to {
	case asConnected:
		if _, err = c.Connect(rtmp.ConnectOptions{App: a.channel}); err == nil {
			c.Stream, err = c.CreateStream()
		}
	case asPublisher:
		err = c.Start(a.channel, "key", stage.Publishing)
	case asPlayer:
		a.channel = stage.CanaryChannel
		err = c.Start(stage.CanaryChannel, "key", stage.Watching)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", to, err)
	}
	return a, nil
}

// attackers numbers the channels of attackers.
var attackers atomic.Int64

// assault has n clients misbehave at the same time, each at a state.
func (f *fault) assault(n int, at attackState, how func(a *attacker, i int)) {
	f.Helper()
	crowd(n, func(i int) {
		a, err := f.attack(i, at)
		if err != nil {
			f.Errorf("client %d of %d: %v", i, n, err)
			return
		}
		how(a, i)
		_ = a.Conn.Close()
	})
}

// say writes bytes, unless the server has closed the connection. It reports
// whether it did.
func (a *attacker) say(wire ...[]byte) bool {
	for _, part := range wire {
		if _, err := a.Conn.Write(part); err != nil {
			return false
		}
	}
	return true
}

// errGone says that the server has closed a connection.
var errGone = errors.New("closed by the server")

// ping is a ping of one chunk.
func ping(value uint32) []byte {
	return whole(2, rtmp.TypeUserControl, 0, binary.BigEndian.AppendUint32([]byte{0, byte(rtmp.EventPingRequest)}, value)...)
}

// answers pings, and wants the answer: everything before has been read as it was
// meant. The error is errGone if the connection ends, and another if nothing comes.
func (a *attacker) answers() error { return a.hears(func(rtmp.Message) {}) }

// hears is answers, and shows each message that comes before the answer.
func (a *attacker) hears(see func(m rtmp.Message)) error {
	const value = 0x70696E67
	if !a.say(ping(value)) {
		return errGone
	}
	return a.awaitPong(value, see)
}

func (a *attacker) awaitPong(value uint32, see func(m rtmp.Message)) error {
	_ = a.Conn.SetReadDeadline(time.Now().Add(2 * stage.Soon))
	for {
		m, err := a.ReadMessage()
		if err != nil {
			return gone(err)
		}
		event, got, ok := rtmp.ParseUserControl(m)
		if m.Type == rtmp.TypeUserControl && ok && event == rtmp.EventPingResponse && got == value {
			return nil
		}
		see(m)
	}
}

// gone tells the end of a connection from an end of patience.
func gone(err error) error {
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		return err
	}
	return errGone
}

// isClosed reports whether the server closes the connection at once.
func (a *attacker) isClosed() bool {
	_, ok := raw{a.Conn}.outlived(2 * stage.Soon)
	return ok
}

// wantEnded wants n connections to have ended for a reason, and no more.
func (f *fault) wantEnded(reason string, n int) {
	f.Helper()
	got := f.ended(reason)
	for deadline := time.Now().Add(2 * stage.Soon); got < n && time.Now().Before(deadline); got = f.ended(reason) {
		stage.Pause(f.bounded(), 50*time.Millisecond)
	}
	if got != n {
		f.Errorf("%d connections ended for %q, want %d", got, reason, n)
	}
}

// residentDuring returns the most memory that the server's process had during some
// work.
func residentDuring(f *fault, work func()) (most int64) {
	f.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	beat := time.NewTicker(20 * time.Millisecond)
	defer beat.Stop()
	for {
		most = max(most, f.resident())
		select {
		case <-done:
			return most
		case <-beat.C:
		}
	}
}

// goOn is a chunk of type 3: more of the message on a chunk stream.
func goOn(chunkStream byte, payload ...byte) []byte {
	return append([]byte{0xC0 | chunkStream}, payload...)
}

// picture is a keyframe of a size, with a number in it.
func picture(stream uint32, number, size int) rtmp.Message {
	payload := make([]byte, max(size, 9))
	payload[0], payload[1] = 0x17, 1
	binary.BigEndian.PutUint32(payload[5:], uint32(number))
	for i := range payload[9:] {
		payload[9+i] = byte(i*5 + number)
	}
	return rtmp.Message{
		Type: rtmp.TypeVideo, ChunkStream: 6, Stream: stream, Timestamp: uint32(number) * 40, Payload: payload,
	}
}
