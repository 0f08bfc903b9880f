//go:build linux && !portable

package server

import (
	"bytes"
	"crypto/tls"
	"io"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
)

// watchedPages count how often they are asked for a pipe.
type watchedPages struct {
	socket.Pages
	asked, given int
}

func (p *watchedPages) Pipe(front, shared, end []byte) int {
	p.asked++
	pipe := p.Pages.Pipe(front, shared, end)
	if pipe >= 0 {
		p.given++
	}
	return pipe
}

func TestWhatAllGetInAPassIsSentFromPages(t *testing.T) {
	shared := bytes.Repeat([]byte("shared by all of them. "), 2000)
	long := bytes.Repeat(shared, 8)
	for name, c := range map[string]struct {
		fill  func(b *batch)
		given bool
	}{
		"shared alone":          {func(b *batch) { b.addShared(shared) }, true},
		"more than a batch":     {func(b *batch) { b.addShared(long) }, true},
		"an answer before it":   {func(b *batch) { b.add([]byte("answer")); b.addShared(shared) }, false},
		"a message behind it":   {func(b *batch) { b.addShared(shared); b.add([]byte("message")) }, false},
		"not shared":            {func(b *batch) { b.add(shared) }, false},
		"outside of any pass":   {func(b *batch) { b.addShared(shared); b.pages = nil }, false},
		"answers and no shared": {func(b *batch) { b.add([]byte("answer")) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			nc, client := directPair(t)
			var pages watchedPages
			defer pages.Close()
			got := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(client)
				got <- all
			}()
			var want []byte
			for range 20 {
				b := &batch{pages: &pages}
				c.fill(b)
				want = append(want, bytes.Join(b.vectors, nil)...)
				for !b.written() {
					if len(b.step) == 0 {
						if err := b.next(nc); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := nc.writeNow(b); err != nil {
						t.Fatal(err)
					}
					b.pages = nil // as for all that the socket did not take
				}
			}
			_ = nc.socket.Close()
			if !bytes.Equal(<-got, want) {
				t.Error("other bytes came than were written")
			}
			if pages.given > 0 != c.given {
				t.Errorf("%d writes of 20 were from pipes", pages.given)
			}
		})
	}
}

// What is encrypted differs from viewer to viewer.
func TestTLSIsNotSentFromPages(t *testing.T) {
	client, server := tcpPair(t)
	nc := newTransport(server, serverTLS())
	go func() {
		c := tls.Client(client, clientTLS)
		_, _ = io.Copy(io.Discard, c)
	}()
	if err := nc.secure.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	nc.records.hold()
	var pages watchedPages
	b := &batch{pages: &pages}
	b.addShared(make([]byte, 20_000))
	if err := b.next(nc); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.writeNow(b); err != nil || pages.asked > 0 {
		t.Errorf("pages were asked %d times, %v", pages.asked, err)
	}
}
