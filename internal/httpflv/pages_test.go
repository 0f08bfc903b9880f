//go:build linux && !portable

package httpflv

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
)

// watchedPages count the pipes they give.
type watchedPages struct {
	socket.Pages
	given int
}

func (p *watchedPages) Pipe(front, shared, end []byte) int {
	pipe := p.Pages.Pipe(front, shared, end)
	if pipe >= 0 {
		p.given++
	}
	return pipe
}

func TestWhatAllGetInAPassIsSentFromPages(t *testing.T) {
	shared := bytes.Repeat([]byte("shared by all of them. "), 2000)
	for name, c := range map[string]struct {
		fill  func(b *batch)
		given bool
	}{
		"shared alone":        {func(b *batch) { b.addShared(shared) }, true},
		"a frame":             {func(b *batch) { b.addShared(shared); b.front = append(b.front, "frame"...) }, true},
		"a chunk":             {func(b *batch) { b.addShared(shared); b.front = append(b.front, "b3b0\r\n"...); b.endWith(lineEnd) }, true},
		"a tag behind it":     {func(b *batch) { b.addShared(shared); b.add([]byte("tag")) }, false},
		"not shared":          {func(b *batch) { b.add(shared) }, false},
		"outside of any pass": {func(b *batch) { b.addShared(shared); b.pages = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(client)
				got <- all
			}()
			out := connOutlet(server)
			var pages watchedPages
			defer pages.Close()
			var want []byte
			for range 20 {
				b := new(batch)
				b.reset()
				b.pages = &pages
				c.fill(b)
				b.seal()
				want = append(want, bytes.Join(b.vectors, nil)...)
				for !b.written() {
					b.next()
					if _, err := out.writeNow(b); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = server.Close()
			if !bytes.Equal(<-got, want) {
				t.Error("other bytes came than were written")
			}
			if pages.given > 0 != c.given {
				t.Errorf("%d writes of 20 were from pipes", pages.given)
			}
		})
	}
}
