package server

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// journey counts what an intake tells its owner of.
type journey struct {
	settled, noted int
	refuse         error
}

func (j *journey) settle() error { j.settled++; return j.refuse }
func (j *journey) noteRead()     { j.noted++ }
func (j *journey) rise()         {}

// tcpPair returns the two ends of a connection on the loopback interface.
func tcpPair(tb testing.TB) (client, server *net.TCPConn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = dialed.Close()
		_ = accepted.Close()
	})
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// hiding keeps an intake from seeing that a connection is TCP.
type hiding struct{ net.Conn }

// eachIntake runs a test or benchmark with every form of intake on a connection.
func eachIntake[T interface {
	testing.TB
	Run(string, func(T)) bool
}](tb T, f func(tb T, in *intake, j *journey, client, server *net.TCPConn)) {
	run := func(name string, wrap func(*net.TCPConn) net.Conn) {
		tb.Run(name, func(tb T) {
			client, server := tcpPair(tb)
			j := &journey{}
			f(tb, newIntake(wrap(server), j), j, client, server)
		})
	}
	if directInputs {
		run("direct", func(nc *net.TCPConn) net.Conn { return nc })
	}
	run("portable", func(nc *net.TCPConn) net.Conn { return hiding{nc} })
}

func TestIntakeReadsDirectlyWhereItCan(t *testing.T) {
	eachIntake(t, func(t *testing.T, in *intake, _ *journey, _, _ *net.TCPConn) {
		_, portable := in.input.(portableInput)
		if want := t.Name()[len(t.Name())-len("portable"):] == "portable"; portable != want || in.holds != want {
			t.Errorf("portable = %t, holds = %t, want %t", portable, in.holds, want)
		}
	})
}

// takeBytes takes what the intake has, in every way there is.
func takeBytes(in *intake, random *rand.Rand) (got []byte, err error) {
	p := make([]byte, 1+random.IntN(100))
	switch random.IntN(5) {
	case 0:
		b, err := in.ReadByte()
		if err != nil {
			return nil, err
		}
		return []byte{b}, nil
	case 1:
		b, err := in.Peek(1 + random.IntN(11))
		if err != nil {
			return nil, err
		}
		got = bytes.Clone(b)
		_, err = in.Discard(len(b))
		return got, err
	case 2:
		p = make([]byte, 1+random.IntN(100_000))
	}
	n, err := in.Read(p)
	return p[:n], err
}

func TestIntakeBringsTheBytesAsTheyWereSent(t *testing.T) {
	eachIntake(t, func(t *testing.T, in *intake, j *journey, client, _ *net.TCPConn) {
		random := rand.New(rand.NewPCG(1, 2))
		sent := make([]byte, 4<<20)
		for i := range sent {
			sent[i] = byte(random.Uint32())
		}
		pieces := rand.New(rand.NewPCG(3, 4))
		go func() {
			for rest := sent; len(rest) > 0; {
				n := min(1+pieces.IntN(1<<pieces.IntN(18)), len(rest))
				if _, err := client.Write(rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
			}
			_ = client.CloseWrite()
		}()
		var got []byte
		for {
			b, err := takeBytes(in, random)
			got = append(got, b...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		// A peek may have met the end with bytes left.
		rest, err := io.ReadAll(struct{ io.Reader }{in})
		if got = append(got, rest...); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes arrived and %v, want the %d that were sent", len(got), err, len(sent))
		}
		if in.buffer != nil {
			t.Error("the buffer was kept")
		}
		if j.settled != j.noted || j.settled == 0 {
			t.Errorf("settled %d times and noted %d reads", j.settled, j.noted)
		}
	})
}

func TestIntakeEndsAsReadingDoes(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		end  func(in *intake, client, server *net.TCPConn)
		want error
	}{
		{"end of the stream", func(_ *intake, client, _ *net.TCPConn) { _ = client.CloseWrite() }, io.EOF},
		{"deadline", func(_ *intake, _, server *net.TCPConn) { _ = server.SetReadDeadline(longAgo) }, os.ErrDeadlineExceeded},
		{"closed", func(_ *intake, _, server *net.TCPConn) { _ = server.Close() }, net.ErrClosed},
		{"reset", func(_ *intake, client, _ *net.TCPConn) {
			_ = client.SetLinger(0)
			_ = client.Close()
		}, syscall.ECONNRESET},
		{"owner", func(in *intake, _, _ *net.TCPConn) { in.owner.(*journey).refuse = broken }, broken},
	} {
		eachIntake(t, func(t *testing.T, in *intake, _ *journey, client, server *net.TCPConn) {
			if _, err := client.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
			if b, err := in.Peek(2); err != nil || string(b) != "ab" {
				t.Fatalf("%q, %v", b, err)
			}
			c.end(in, client, server)
			if _, err := in.Peek(11); !errors.Is(err, c.want) {
				t.Errorf("%s: peeked %v", c.name, err)
			}
			if n, err := in.Discard(5); n != 3 || !errors.Is(err, c.want) {
				t.Errorf("%s: discarded %d, %v", c.name, n, err)
			}
			_ = server.SetReadDeadline(time.Time{}) // the error stays
			for range 2 {
				if _, err := in.ReadByte(); !errors.Is(err, c.want) {
					t.Errorf("%s: read a byte: %v", c.name, err)
				}
				if n, err := in.Read(make([]byte, 10)); n != 0 || !errors.Is(err, c.want) {
					t.Errorf("%s: read %d, %v", c.name, n, err)
				}
				if b, err := in.Peek(1); len(b) != 0 || !errors.Is(err, c.want) {
					t.Errorf("%s: peeked %q, %v", c.name, b, err)
				}
			}
			if in.buffer != nil {
				t.Errorf("%s: the buffer was kept", c.name)
			}
		})
	}
}

// A connection's end interrupts its reading goroutine, wherever that waits.
func TestIntakeIsInterruptedWhileItWaits(t *testing.T) {
	eachIntake(t, func(t *testing.T, in *intake, _ *journey, client, server *net.TCPConn) {
		_, _ = client.Write([]byte{1})
		failed := make(chan error)
		started := make(chan struct{})
		go func() {
			_, _ = in.ReadByte()
			close(started)
			_, err := in.ReadByte()
			failed <- err
		}()
		<-started
		_ = server.SetReadDeadline(longAgo)
		var timeout net.Error
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("error = %v", err)
		}
	})
}

// script is a connection whose reads bring so many bytes each, at most those
// there is room for; then an error.
type script struct {
	net.Conn // nil: only what is below may be called
	reads    []int
	rooms    []int
	err      error
}

func (s *script) Read(p []byte) (int, error) {
	s.rooms = append(s.rooms, len(p))
	if len(s.reads) == 0 {
		return 0, s.err
	}
	n := min(s.reads[0], len(p))
	s.reads = s.reads[1:]
	if len(s.reads) == 0 {
		return n, s.err // along with the bytes, as TLS does
	}
	return n, nil
}

// times is n reads of the given size.
func times(n, size int) []int {
	reads := make([]int, n)
	for i := range reads {
		reads[i] = size
	}
	return reads
}

func TestBufferFollowsTheStream(t *testing.T) {
	const kib, plenty = 1 << 10, 1 << 20
	join := func(parts ...[]int) (all []int) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, c := range []struct {
		name        string
		holds       bool
		reads, want []int // the last of want is that of the read that fails
	}{
		{"it starts small", false, nil, []int{4 * kib}},
		{"it grows with full reads", false, times(4, plenty), []int{4 * kib, 16 * kib, 64 * kib, 64 * kib, 64 * kib}},
		{
			"it shrinks after many small reads", false,
			join(times(2, plenty), times(patience, 5000), times(patience, 100), times(patience, 100)),
			join([]int{4 * kib, 16 * kib}, times(patience, 64*kib), times(patience, 16*kib), times(patience, 4*kib), []int{4 * kib}),
		},
		{
			"one larger read keeps it", false,
			join(times(2, plenty), times(patience-1, 5000), []int{30_000}, times(patience-1, 5000)),
			join([]int{4 * kib, 16 * kib}, times(2*patience-1, 64*kib), []int{64 * kib}),
		},
		{"waiting takes the smallest", true, times(3, 100), times(4, kib)},
		{
			"more than the smallest takes the one of the stream", true,
			[]int{plenty, plenty, plenty, 5000, plenty, 9000, 10},
			[]int{kib, 4 * kib, 16 * kib, 64 * kib, kib, 64 * kib, kib, kib},
		},
	} {
		nc := &script{reads: c.reads, err: io.EOF}
		in := newIntake(nc, &journey{})
		in.holds = c.holds
		for in.err == nil {
			if _, err := in.ReadByte(); err == nil {
				_, _ = in.Discard(in.w - in.r)
			}
		}
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the error is %v", c.name, err)
		}
		want := c.want
		if len(c.reads) > 0 {
			want = want[:len(c.reads)] // the error came along
		}
		if !slices.Equal(nc.rooms, want) {
			t.Errorf("%s: room for\n\t%v, want\n\t%v", c.name, nc.rooms, want)
		}
	}
}

// What is as long as the buffer is not read through it.
func TestIntakeReadsLongPayloadsIntoTheirPlace(t *testing.T) {
	nc := &script{reads: []int{10, 1 << 20, 5000}, err: io.EOF}
	in := newIntake(nc, &journey{})
	p := make([]byte, 40_010)
	if n, err := io.ReadFull(in, p[:10]); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := io.ReadFull(in, p[10:]); n != 40_000 || err != nil {
		t.Fatal(n, err)
	}
	if want := []int{1 << 10, 40_000}; !slices.Equal(nc.rooms, want) {
		t.Errorf("room for %v, want %v", nc.rooms, want)
	}
	if in.buffer != nil {
		t.Error("a buffer was held meanwhile")
	}
}

// A write of nothing through a pipe is a read of nothing.
func TestIntakeReadsOnAfterNothing(t *testing.T) {
	in := newIntake(&script{reads: append(times(maxEmptyReads-1, 0), 1, 0)}, &journey{})
	if _, err := in.ReadByte(); err != nil {
		t.Error(err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("without end: %v", err)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	eachIntake(t, func(t *testing.T, in *intake, _ *journey, client, _ *net.TCPConn) {
		sent := make([]byte, 500)
		allocs := testing.AllocsPerRun(200, func() {
			if _, err := client.Write(sent); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Discard(len(sent)); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations a read", allocs)
		}
	})
}

// The chunk reader takes an intake as it takes any buffered reader.
func TestMessagesPassThroughTheIntake(t *testing.T) {
	eachIntake(t, func(t *testing.T, in *intake, _ *journey, client, _ *net.TCPConn) {
		const chunkSize = 4096
		messages := []rtmp.Message{rtmp.SetChunkSize(chunkSize)}
		for _, size := range []int{0, 1, 300, 5000, 70_000, 300_000, 20, 1000} {
			messages = append(messages, rtmp.Message{
				Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Payload: bytes.Repeat([]byte{byte(size), 7}, size/2),
			})
		}
		var wire []byte
		for i, m := range messages {
			size := chunkSize
			if i == 0 {
				size = rtmp.DefaultChunkSize
			}
			wire = rtmp.AppendMessage(wire, m, size)
		}
		go func() {
			_, _ = io.Copy(client, iotest.HalfReader(bytes.NewReader(wire)))
			_ = client.CloseWrite()
		}()
		r := rtmp.NewReader(in, rtmp.AcceptedLimits)
		for i, want := range messages {
			m, err := r.ReadMessage()
			if err != nil || m.Type != want.Type || !bytes.Equal(m.Payload, want.Payload) {
				t.Fatalf("message %d: %v of %d bytes, %v", i, m.Type, len(m.Payload), err)
			}
		}
		if _, err := r.ReadMessage(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	})
}
