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

// onlooker is a viewer whose socket takes less than a run at once.
type onlooker struct {
	server *net.TCPConn
	w      *Writer
	// draining is done when the rest of the last run is written.
	draining sync.WaitGroup
	front    []byte
	want     []byte
	got      chan []byte
}

func newOnlooker(t *testing.T, front []byte) *onlooker {
	t.Helper()
	server, client := pair(t)
	if err := server.SetWriteBuffer(8 << 10); err != nil {
		t.Fatal(err)
	}
	if err := client.SetReadBuffer(32 << 10); err != nil { // less and TCP waits for a larger window
		t.Fatal(err)
	}
	o := &onlooker{server: server, w: NewWriter(server), front: front, got: make(chan []byte, 1)}
	go func() {
		all, _ := io.ReadAll(client)
		o.got <- all
	}()
	return o
}

// serve has the onlooker get a run as far as its socket takes it, and a goroutine
// write the rest, for which there are no pages.
func (o *onlooker) serve(t *testing.T, pages *Pages, run []byte) (fromFile, inPart bool) {
	o.draining.Wait()
	o.want = append(append(o.want, o.front...), run...)
	memory, step := new(Vectors), net.Buffers{o.front, run}
	var n int
	var err error
	if file := pages.File(o.front, run, nil); file >= 0 {
		n, err = o.w.WriteFile(file, step, memory)
		fromFile = true
	} else {
		n, err = o.w.Write(step, memory, false)
	}
	if err != nil {
		t.Error(err)
	}
	rest := bytes.Join(step, nil)[n:]
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
	return fromFile, len(rest) > 0
}

// TestManyViewersGetEachByteThoughTheirSocketsAreFull has two fan-outs serve viewers
// at the same time, whose files take turns with their descriptors while what was sent
// from them is on its way.
func TestManyViewersGetEachByteThoughTheirSocketsAreFull(t *testing.T) {
	const passes, parts, viewers = 10, 2, 40 // of each part
	var inPart atomic.Int64
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
				run := make([]byte, 60_000+noise.Uint64()%60_000)
				_, _ = noise.Read(run)
				var helping sync.WaitGroup
				for part := range parts {
					helping.Go(func() {
						for _, o := range onlookers[part*viewers:][:viewers] {
							if fromFile, cut := o.serve(t, &pages, run); fromFile && cut {
								inPart.Add(1)
							}
						}
					})
				}
				helping.Wait()
				pages.Close()
			}
			for i, o := range onlookers {
				o.draining.Wait()
				_ = o.server.CloseWrite()
				if !bytes.Equal(<-o.got, o.want) {
					t.Errorf("viewer %d of fan-out %d: other bytes came than were written", i, fan)
				}
			}
		})
	}
	running.Wait()
	if n := inPart.Load(); n == 0 {
		t.Error("all sockets took all of each file")
	}
	if n := mediaFiles(t); n != 0 {
		t.Errorf("%d files are open", n)
	}
}
