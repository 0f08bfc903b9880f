//go:build linux && !portable

package socket

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// onlooker is a viewer whose sockets have less room than a run needs.
type onlooker struct {
	client *net.TCPConn
	w      Writer
	front  []byte
	// draining is done when the rest of the last run is written.
	draining sync.WaitGroup
}

func newOnlooker(t *testing.T, front []byte) *onlooker {
	t.Helper()
	server, client := pair(t)
	if err := server.SetWriteBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	if err := client.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	return &onlooker{client: client, w: NewWriter(server), front: front}
}

// serve has the onlooker get a run as far as its socket takes it, and a goroutine
// write the rest, for which there are no pages. It reports whether some of it came
// from a pipe, and not all.
func (o *onlooker) serve(t *testing.T, pages *Pages, run []byte) (cut bool) {
	memory, step := new(Call), net.Buffers{o.front, run}
	write := func() (int, error) { return o.w.Write(step, memory, false) }
	pipe := pages.Pipe(o.front, run, nil)
	if pipe >= 0 {
		write = func() (int, error) { return o.w.WritePipe(pipe, step, memory) }
	}
	n, err := write()
	if err != nil {
		t.Error(err)
	}
	rest := bytes.Join(step, nil)[n:]
	cut = pipe >= 0 && len(rest) > 0
	o.draining.Go(func() {
		for len(rest) > 0 {
			n, err := o.w.Write(net.Buffers{rest}, memory, true)
			if err != nil {
				t.Error(err)
				return
			}
			rest = rest[n:]
		}
	})
	return cut
}

// read takes the run off the socket.
func (o *onlooker) read(t *testing.T, run []byte) {
	defer o.draining.Wait()
	got, want := make([]byte, len(o.front)+len(run)), append(bytes.Clone(o.front), run...)
	if _, err := io.ReadFull(o.client, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("other bytes came than were written, %v", err)
	}
}

// TestManyViewersGetEachByteThoughTheirSocketsAreFull has two fan-outs serve viewers
// at the same time, whose pipes take turns with their descriptors while what was sent
// from them is on its way.
func TestManyViewersGetEachByteThoughTheirSocketsAreFull(t *testing.T) {
	const passes, parts, viewers = 8, 2, 20 // of each part
	var cut atomic.Int64
	var running sync.WaitGroup
	for fan := range 2 {
		var onlookers []*onlooker
		for i := range parts * viewers {
			onlookers = append(onlookers, newOnlooker(t, []byte("a front")[:1+i%3]))
		}
		running.Go(func() {
			noise := rand.NewChaCha8([32]byte{byte(fan)})
			var pages Pages
			for range passes {
				run := make([]byte, 200_000+noise.Uint64()%50_000)
				_, _ = noise.Read(run)
				var serving, reading sync.WaitGroup
				for part := range parts {
					serving.Go(func() {
						for _, o := range onlookers[part*viewers:][:viewers] {
							if o.serve(t, &pages, run) {
								cut.Add(1)
							}
						}
					})
				}
				serving.Wait()
				closeAll(t, &pages)
				for _, o := range onlookers {
					reading.Go(func() { o.read(t, run) })
				}
				reading.Wait()
			}
		})
	}
	running.Wait()
	if n := cut.Load(); n < passes {
		t.Errorf("%d sends from pipes were cut short", n)
	}
}
