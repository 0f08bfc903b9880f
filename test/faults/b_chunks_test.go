package faults

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// headed is the start of a chunk with a header of a type on chunk stream 6, which
// announces a message where it can.
func headed(format byte, length int, kind rtmp.MessageType, stream uint32) []byte {
	b := header(6, length, kind, stream)
	b[0] |= format << 6
	return b[:[4]int{12, 8, 4, 1}[format]]
}

// seen reads what a player gets, until a message with the number.
func (f *fault) seen(player *attacker, last int) (pictures []rtmp.Message) {
	f.Helper()
	_ = player.Conn.SetReadDeadline(time.Now().Add(2 * stage.Soon))
	for {
		m, err := player.ReadMessage()
		if err != nil {
			f.Errorf("the player got %d messages: %v", len(pictures), err)
			return pictures
		}
		if m.Type != rtmp.TypeVideo {
			continue
		}
		if bytes.Equal(m.Payload[:9], picture(1, last, 9).Payload) {
			return pictures
		}
		pictures = append(pictures, m)
	}
}

// watch opens a player of another's channel.
func (f *fault) watch(channel string) *attacker {
	f.Helper()
	a, err := f.attack(200, asNewcomer)
	if err == nil {
		err = a.Start(channel, "key", stage.Watching)
	}
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// B4: within a message, a header that is more than a continuation ends the
// connection, and nothing of the message gets through.
func TestHeadersWithinAMessage(t *testing.T) {
	t.Parallel()
	f := begin(t, "B4")
	const length, piece = 300, 128
	refused := 0
	for first := range byte(4) {
		for inner := range byte(4) {
			for position := 1; position <= 2; position++ {
				name := fmt.Sprintf("type %d, and type %d after %d chunks", first, inner, position)
				a, err := f.attack(1, asPublisher)
				if err != nil {
					f.Fatal(err)
				}
				player := f.watch(a.channel)
				if err := a.SetChunkSize(piece); err != nil {
					f.Fatal(err)
				}
				whole := picture(a.Stream, 1, length)
				// So that the others have a header to build on.
				a.say(headed(0, length, rtmp.TypeVideo, a.Stream), whole.Payload[:piece],
					goOn(6, whole.Payload[piece:2*piece]...), goOn(6, whole.Payload[2*piece:]...))
				second := picture(a.Stream, 2, length).Payload
				a.say(headed(first, length, rtmp.TypeVideo, a.Stream), second[:piece])
				if position == 2 {
					a.say(goOn(6, second[piece:2*piece]...))
				}
				a.say(headed(inner, 40, rtmp.TypeAudio, a.Stream), second[piece*position:min(length, piece*(position+1))])
				if position == 1 {
					a.say(goOn(6, second[2*piece:]...))
				}
				want := 2
				if inner < 3 {
					want = 1
					refused++
					if !a.isClosed() {
						f.Errorf("%s: goes on", name)
					}
				}
				f.checkPictures(name, a, player, want, length)
			}
		}
	}
	f.figure("sequences", 4*4*2)
	f.wantEnded("protocol error", refused)
}

// checkPictures wants a player to get the first pictures as they were sent, and no
// other. Whoever published them says goodbye, or another does.
func (f *fault) checkPictures(name string, a, player *attacker, want, length int) {
	f.Helper()
	if a.answers() != nil {
		again, err := f.attack(1, asNewcomer)
		if err == nil {
			err = again.Start(a.channel, "key", stage.Publishing)
		}
		if err != nil {
			f.Fatalf("%s: the channel is not free: %v", name, err)
		}
		a = again
	}
	if err := a.WriteMessage(picture(a.Stream, 99, 9)); err != nil {
		f.Fatal(err)
	}
	got := f.seen(player, 99)
	for i, m := range got {
		if !bytes.Equal(m.Payload, picture(1, i+1, length).Payload) {
			f.Errorf("%s: message %d came spoiled", name, i)
		}
	}
	if len(got) != want {
		f.Errorf("%s: %d messages came, want %d", name, len(got), want)
	}
	_, _ = a.Conn.Close(), player.Conn.Close()
}

func TestChunkSizesOfAllKinds(t *testing.T) {
	t.Parallel()
	f := begin(t, "B5")
	type trial struct {
		size   uint64
		length int
	}
	var trials []trial
	for _, size := range []uint64{0, 1, 127, 128, 65536, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		for length := range 9 {
			trials = append(trials, trial{size, length})
		}
	}
	refused := 0
	for _, one := range trials {
		if one.length < 4 || one.size == 0 || one.size >= 1<<31 {
			refused++
		}
	}
	f.assault(len(trials), asNewcomer, func(a *attacker, i int) {
		one := trials[i]
		body := append(rtmp.SetChunkSize(uint32(one.size)).Payload, 1, 2, 3, 4)[:one.length]
		a.say(whole(2, rtmp.TypeSetChunkSize, 0, body...))
		const value = 7
		pong := rtmp.UserControl(rtmp.EventPingRequest, value)
		a.say(rtmp.AppendMessage(nil, pong, int(min(max(one.size, 1), 1<<20))))
		err := a.awaitPong(value, func(rtmp.Message) {})
		if bad := one.length < 4 || one.size == 0 || one.size >= 1<<31; bad != errors.Is(err, errGone) {
			f.Errorf("chunk size %d of %d bytes: %v", one.size, one.length, err)
		}
	})
	f.figure("messages", len(trials))
	f.wantEnded("protocol error", refused)
}

// B6: FuzzReaderAgreesWithTheModel of internal/rtmp has changes of all kinds.
func TestChunkSizesChangeInsideMessages(t *testing.T) {
	t.Parallel()
	f := begin(t, "B6")
	n, flips := f.scale(4, 120), 80 // as many as a client may say at once
	const messages = 10
	var bytesSent atomic.Int64
	wave := 4
	for from := 0; from < n; from += wave {
		crowd(wave, func(i int) {
			seed := uint64(from + i)
			random := rand.New(rand.NewPCG(seed, 6))
			a, err := f.attack(i, asPublisher)
			if err != nil {
				f.Error(err)
				return
			}
			player, err := f.attack(i, asNewcomer)
			if err == nil {
				err = player.Start(a.channel, "key", stage.Watching)
			}
			if err != nil {
				f.Error(err)
				return
			}
			sizes, size := make([]int, messages), 60_000
			left := flips
			for number := range messages {
				sizes[number] = 100 + random.IntN(20_000)
				payload := picture(a.Stream, number, sizes[number]).Payload
				start := header(6, len(payload), rtmp.TypeVideo, a.Stream)
				for len(payload) > 0 {
					k := min(size, len(payload))
					a.say(start, payload[:k])
					payload, start = payload[k:], goOn(6)
					if left > 0 {
						left--
						size = 9 + random.IntN(3000) // so that this announcement fits
						a.say(whole(2, rtmp.TypeSetChunkSize, 0, rtmp.SetChunkSize(uint32(size)).Payload...))
					}
				}
				bytesSent.Add(int64(sizes[number]))
			}
			a.say(rtmp.AppendMessage(nil, picture(a.Stream, 999, 9), size))
			got := f.seen(player, 999)
			for k, m := range got {
				if !bytes.Equal(m.Payload, picture(1, k, sizes[k]).Payload) {
					f.Errorf("seed %d: message %d came spoiled", seed, k)
				}
			}
			if len(got) != messages {
				f.Errorf("seed %d: %d messages came, want %d", seed, len(got), messages)
			}
			_, _ = a.Conn.Close(), player.Conn.Close()
		})
	}
	f.figure("changes", n*flips)
	f.figure("sent", megabytes(bytesSent.Load()))
}

// B8: librtmp begins its control stream with type 1, which has all but the stream.
func TestChunkStreamsThatBeginWithoutAFullHeader(t *testing.T) {
	t.Parallel()
	f := begin(t, "B8")
	for _, at := range allStates {
		f.assault(3, at, func(a *attacker, i int) {
			format := byte(i + 1)
			a.say(append(headed(format, 3, rtmp.TypeAcknowledgement, 0), 0, 0, 0))
			switch err := a.answers(); {
			case format == 1 && err != nil:
				f.Errorf("%s: type 1 first: %v", at, err)
			case format > 1 && !errors.Is(err, errGone):
				f.Errorf("%s: type %d first: %v", at, format, err)
			}
		})
	}
	f.wantEnded("protocol error", 2*len(allStates))
}

// basicHeader is the basic header of a chunk stream in one, two or three bytes (RTMP 1.0
// section 5.3.1.1).
func basicHeader(format byte, chunkStream, size int) []byte {
	switch size {
	case 1:
		return []byte{format<<6 | byte(chunkStream)}
	case 2:
		return []byte{format << 6, byte(chunkStream - 64)}
	default:
		return []byte{format<<6 | 1, byte(chunkStream - 64), byte((chunkStream - 64) >> 8)}
	}
}

func TestChunkStreamIDsOfAllForms(t *testing.T) {
	t.Parallel()
	f := begin(t, "B10")
	forms := map[int][]int{2: {1}, 3: {1}, 63: {1}, 64: {2, 3}, 319: {2, 3}, 320: {3}, 65599: {3}}
	tried := 0
	for id, sizes := range forms {
		for _, begins := range sizes {
			for _, goesOn := range sizes {
				tried++
				a, err := f.attack(tried, asConnected)
				if err == nil {
					err = a.SetChunkSize(3)
				}
				if err != nil {
					f.Fatal(err)
				}
				payload := ping(8)[12:]
				a.say(basicHeader(0, id, begins), header(3, len(payload), rtmp.TypeUserControl, 0)[1:], payload[:3], basicHeader(3, id, goesOn), payload[3:])
				if err := a.awaitPong(8, func(rtmp.Message) {}); err != nil {
					f.Errorf("chunk stream %d in %d and %d bytes: %v", id, begins, goesOn, err)
				}
			}
		}
	}
	f.figure("forms", tried)
	f.assault(2, asConnected, func(a *attacker, i int) { // who has used 2 and 3
		for id := range rtmp.MaxChunkStreams - 2 + i {
			a.say(basicHeader(0, 64+id, 2), header(3, 0, rtmp.TypeAudio, a.Stream)[1:])
		}
		if err := a.answers(); errors.Is(err, errGone) != (i == 1) {
			f.Errorf("%d chunk streams: %v", rtmp.MaxChunkStreams+i, err)
		}
	})
	f.wantEnded("limit exceeded", 1)
}

// B16: FuzzChunkReader of internal/rtmp looks at each message. Here, noise behind a handshake
// ends with the connection or with the noise, and costs little.
func TestNoiseIsReadOnce(t *testing.T) {
	t.Parallel()
	f := begin(t, "B16")
	n := f.scale(200, 5000)
	const size = 32 << 10
	busy := f.processor()
	var sent atomic.Int64
	for from := 0; from < n; from += 50 {
		f.assault(50, asNewcomer, func(a *attacker, i int) {
			random := rand.New(rand.NewPCG(uint64(from+i), 16))
			noise := make([]byte, size)
			for k := range noise {
				noise[k] = byte(random.UintN(256))
			}
			if i%2 == 0 { // of a session that begins well
				copy(noise, session("publish")[1+2*1536:])
				for range 3 {
					noise[random.IntN(400)] ^= 1 << random.IntN(8)
				}
			}
			a.say(noise)
			sent.Add(size)
			_ = a.Conn.CloseWrite()
			if !a.isClosed() {
				f.Errorf("seed %d: the end is not noticed", from+i)
			}
		})
	}
	f.figure("connections", n)
	f.figure("noise", megabytes(sent.Load()))
	// Messages of one byte, which say nothing.
	f.assault(2, asConnected, func(a *attacker, _ int) {
		a.say(header(6, 0, rtmp.TypeAudio, a.Stream), bytes.Repeat(goOn(6), 1<<20))
		if !a.isClosed() {
			f.Error("a million empty messages are read")
		}
	})
	f.wantEnded("too many messages", 2)
	f.figure("processor time", f.processor()-busy)
}
