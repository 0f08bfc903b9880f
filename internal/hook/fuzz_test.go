package hook

import (
	"bufio"
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func crc(text string) uint32 { return crc32.Checksum([]byte(text), castagnoli) }

// FuzzJournal opens arbitrary bytes as a journal: never an error, and what is recorded afterwards is there.
func FuzzJournal(f *testing.F) {
	var good []byte
	for _, r := range []record{startRecord(1, numbered(1)), startRecord(2, numbered(2)), stopRecord(1), startRecord(1<<64-1, numbered(3))} {
		line, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		good = append(good, line...)
		f.Add(line)
	}
	f.Add(good)
	f.Add(append(good[:len(good)-7:len(good)-7], good...))
	f.Add([]byte("\n\n\x00\xff"))
	f.Add(bytes.Repeat([]byte("x"), maxRecord+1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		records, _, err := readRecords(bytes.NewReader(data))
		if err != nil || len(records) > len(data)/crcLength {
			t.Fatalf("%d records in %d bytes, %v", len(records), len(data), err)
		}
		var text []byte
		var want []session
		for _, r := range sorted(records) {
			if !validStreamID(r.StreamID) || len(r.StreamID) > maxStreamID {
				t.Fatalf("record %v", r)
			}
			want = append(want, r.session())
			line, err := r.encode()
			if err != nil && len(data) < maxRecord/6 { // JSON makes six bytes of some characters
				t.Fatal(err)
			}
			text = append(text, line...)
		}
		if again, skipped, err := readRecords(bytes.NewReader(text)); len(data) < maxRecord/6 && (err != nil || skipped != 0 || !reflect.DeepEqual(sorted(again), records)) {
			t.Fatalf("records\nfirst %v\n then %v, %d, %v", records, again, skipped, err)
		}
		if len(data) < maxRecord/6 && len(data)%8 == 0 { // not always: the disk takes its time
			journalGoesOn(t, dir, data, want)
		}
	})
}

// journalGoesOn opens a journal in which the sessions are open, and adds another one.
func journalGoesOn(t *testing.T, dir string, data []byte, want []session) {
	put(t, dir, data)
	for range 2 {
		j, died, err := openJournal(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(died, want) {
			t.Fatalf("died\n got %v\nwant %v", died, want)
		}
		if err := j.started(numbered(9)); err != nil {
			t.Fatal(err)
		}
		mustClose(t, j)
		want = append(want, numbered(9))
	}
}

// FuzzReply answers a start with arbitrary bytes: it is accepted only by status 200 with a valid id, and nothing of the answer gets into the error.
func FuzzReply(f *testing.F) {
	for _, a := range answers {
		if len(a.reply) < 4096 {
			f.Add([]byte(a.reply + a.more))
		}
	}
	log := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, data []byte) {
		conns := make(chan net.Conn, 1)
		h, err := New(Options{URL: "http://backend.example", Secret: []byte(testSecret), Log: log,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				select {
				case conns <- server:
					return client, nil
				default: // a stop, which is not what this is about
					return nil, net.ErrClosed
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn := <-conns
			defer func() { _ = conn.Close() }()
			conns <- nil // no second connection
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = conn.Write(data)
			}
		}()
		began := time.Now()
		id, err := h.Start(t.Context(), wish)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = h.Shutdown(ended)
		<-done
		if time.Since(began) > startTimeout+time.Second {
			t.Fatalf("took %v", time.Since(began))
		}
		if (err == nil) == (id == "") {
			t.Fatalf("Start = %q, %v", id, err)
		}
		if err != nil {
			noSecrets(t, err.Error())
			return
		}
		wanted := acceptable(data)
		if id != wanted || len(id) > maxStreamID || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("accepted %q of %q", id, data)
		}
	})
}

// acceptable returns the stream-id of a reply with status 200, read in another way.
func acceptable(data []byte) string {
	reader := bufio.NewReader(bytes.NewReader(data))
	for {
		response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodPost})
		if err != nil {
			return ""
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= 100 && response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		if response.StatusCode != http.StatusOK {
			return ""
		}
		return response.Header.Get("stream-id")
	}
}
