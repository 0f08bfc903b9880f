package command

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// memory is a connection that reads from a reader and takes every write.
type memory struct {
	io.Reader
	closed atomic.Bool
}

func (*memory) Write(p []byte) (int, error)      { return len(p), nil }
func (s *memory) Close() error                   { s.closed.Store(true); return nil }
func (*memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }

// message is how Redis delivers a payload.
func message(payload string) string {
	return array("message", testChannel, payload)
}

var guardCases = []struct {
	name   string
	stream string
	passed int // how much of it, if err is not nil
	err    error
}{
	{name: "nothing"},
	{name: "a status, an error and a number", stream: "+OK\r\n-ERR no\r\n:1\r\n"},
	{name: "a message", stream: message("kill-session>live")},
	{name: "nulls", stream: "$-1\r\n*-1\r\n*2\r\n$-1\r\n*-1\r\n"},
	{name: "empty values", stream: "$0\r\n\r\n*0\r\n"},
	{name: "arrays in arrays", stream: "*2\r\n*1\r\n:1\r\n*2\r\n+a\r\n$1\r\n\n\r\n:5\r\n"},
	{name: "the longest message", stream: message(strings.Repeat("x", 64000))},
	{name: "any number of messages", stream: strings.Repeat(message(strings.Repeat("x", 9000)), 50)},
	{name: "a page", stream: "HTTP/1.1 400 Bad Request\r\n\r\n", err: errNotRedis},
	{name: "a page behind a reply", stream: "+OK\r\n<html>", passed: 5, err: errNotRedis},
	{name: "a map of RESP 3", stream: "%1\r\n", err: errNotRedis},
	{name: "a string of 512 MiB", stream: "$536870912\r\n", passed: 11, err: errTooLarge},
	{name: "a string just too long", stream: "$65536\r\n", passed: 7, err: errTooLarge},
	{name: "a string of unknown length", stream: "$?\r\n", passed: 1, err: errNotRedis},
	{name: "a length that overflows", stream: "$18446744073709551617\r\n", passed: 10, err: errNotRedis},
	{name: "a length with a sign", stream: "$+5\r\n", passed: 1, err: errNotRedis},
	{name: "a length with two signs", stream: "$--5\r\n", passed: 2, err: errNotRedis},
	{name: "an array of 2^30", stream: "*999999999\r\n", passed: 11, err: errTooLarge},
	{name: "an array just too long", stream: "*1024\r\n", passed: 6, err: errTooLarge},
	{name: "arrays within arrays", stream: strings.Repeat("*1\r\n", 20_000), passed: 3969, err: errTooLarge},
	{name: "strings that are too long together", stream: "*3\r\n$40000\r\n" + strings.Repeat("x", 40000) + "\r\n$40000\r\n", passed: 40021, err: errTooLarge},
	{name: "a line without an end", stream: "+" + strings.Repeat("x", 1<<17), passed: 65473, err: errTooLarge},
}

func TestGuardPassesRepliesAndEndsAtWhatIsNone(t *testing.T) {
	for _, c := range guardCases {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"at once":      func(r io.Reader) io.Reader { return r },
			"byte by byte": iotest.OneByteReader,
		} {
			conn := &memory{Reader: wrap(strings.NewReader(c.stream))}
			got, err := io.ReadAll(&guard{Conn: conn})
			want := c.stream
			if c.err != nil {
				want = c.stream[:c.passed]
			}
			if string(got) != want || !errors.Is(err, c.err) || conn.closed.Load() != (c.err != nil) {
				t.Errorf("%s, %s: passed %d bytes, %v, closed %v; want %d bytes, %v",
					c.name, how, len(got), err, conn.closed.Load(), len(want), c.err)
			}
		}
	}
}

func TestGuardEndsForGood(t *testing.T) {
	g := &guard{Conn: &memory{Reader: strings.NewReader("<html>")}}
	for range 3 {
		if n, err := g.Read(make([]byte, 10)); n != 0 || !errors.Is(err, errNotRedis) {
			t.Fatalf("read %d bytes, %v", n, err)
		}
	}
}

func FuzzGuard(f *testing.F) {
	for _, c := range guardCases {
		f.Add([]byte(c.stream[:min(len(c.stream), 1000)]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := io.ReadAll(&guard{Conn: &memory{Reader: bytes.NewReader(data)}})
		pieces, err2 := io.ReadAll(&guard{Conn: &memory{Reader: iotest.OneByteReader(bytes.NewReader(data))}})
		if !bytes.Equal(whole, pieces) || (err == nil) != (err2 == nil) {
			t.Fatalf("%d bytes and %v at once, %d and %v byte by byte", len(whole), err, len(pieces), err2)
		}
		if !bytes.HasPrefix(data, whole) || err == nil && len(whole) != len(data) {
			t.Fatalf("%d of %d bytes, %v", len(whole), len(data), err)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	replies := []byte(strings.Repeat(message(strings.Repeat("x", 100)), 200))
	b.SetBytes(int64(len(replies)))
	b.ReportAllocs()
	var s scanner
	for b.Loop() {
		if _, err := s.scan(replies); err != nil {
			b.Fatal(err)
		}
	}
}
