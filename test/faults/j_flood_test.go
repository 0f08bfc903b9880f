package faults

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// A second of the log takes so much of one flood: ten lines that tell of it, and the
// steps of the sessions before, ten for each.
const (
	floodLines = 40
	floodBurst = 400 // lines of steps that come together, at the beginning
	floodBytes = 10 << 10
)

// Refusals of all kinds come by the thousand; e_addresses_test.go has connections
// that say nothing. What the log leaves out it counts.
func TestFloodsOfRefusalsDoNotFloodTheLog(t *testing.T) {
	floods := map[string]func(f *fault, from string){
		"wrong keys": func(f *fault, from string) {
			f.refusedAs(from, func(c *stage.Client) { _ = c.Start(stage.CanaryChannel, "wrong", stage.Watching) })
		},
		"a busy channel": func(f *fault, from string) {
			f.refusedAs(from, func(c *stage.Client) { _ = c.Start(stage.CanaryChannel, "key", stage.Publishing) })
		},
		"names that are none": func(f *fault, from string) {
			f.refusedAs(from, func(c *stage.Client) { _ = c.Start("no name", "key", stage.Publishing) })
		},
		"commands out of order": func(f *fault, from string) {
			f.refusedAs(from, func(c *stage.Client) { _ = c.Publish(1, "key") })
		},
		"messages that are too long": func(f *fault, from string) {
			f.refusedAs(from, func(c *stage.Client) { _, _ = c.Conn.Write(header(3, 0xFFFFFF, rtmp.TypeCommand, 0)) })
		},
		"another protocol": func(f *fault, from string) {
			if r, err := f.connection(from, f.server.Addr); err == nil {
				_, _ = r.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
				_ = r.Close()
			}
		},
		"TLS that is none": func(f *fault, from string) {
			if r, err := f.connection(from, f.server.SecureAddr()); err == nil {
				_, _ = r.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
				_ = r.Close()
			}
		},
	}
	for name, refused := range floods {
		t.Run(name, func(t *testing.T) {
			f := begin(t, "J1")
			lasting := time.Duration(f.scale(1, 20)) * time.Second
			ctx, cancel := context.WithTimeout(f.Context(), lasting)
			defer cancel()
			before, start := len(f.server.Log.All()), time.Now()
			var tried atomic.Int64
			crowd(8, func(i int) {
				for n := i; ctx.Err() == nil; n += 8 {
					refused(f, host(n%2000)) // none too often
					tried.Add(1)
				}
			})
			seconds := time.Since(start).Seconds()
			all := f.server.Log.All()[before:]
			bytes := len(strings.Join(all, "\n"))
			f.figure("refusals a second", int(float64(tried.Load())/seconds))
			f.figure("lines", len(all))
			f.figure("KiB a second", fmt.Sprintf("%.1f", float64(bytes)/1024/seconds))
			if most := floodBurst + floodLines*int(seconds+1); len(all) > most {
				f.Errorf("%d lines were logged in %.1f s", len(all), seconds)
			}
			if most := 300*floodBurst + floodBytes*int(seconds+1); bytes > most {
				f.Errorf("%d bytes were logged in %.1f s", bytes, seconds)
			}
			f.joinsAtOnce()
		})
	}
}

// refusedAs does something that the server refuses, and waits for it to do so.
func (f *fault) refusedAs(from string, do func(c *stage.Client)) {
	c, err := dial(f, from, f.server.Addr, nil)
	if err != nil {
		return
	}
	_ = c.Conn.SetDeadline(time.Now().Add(stage.Soon))
	do(c)
	c.Reset()
}
