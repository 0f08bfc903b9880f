package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// array is a RESP array of strings: a command, or a reply.
func array(parts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(parts))
	for _, p := range parts {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(p), p)
	}
	return b.String()
}

const (
	subscribed = "*3\r\n$9\r\nsubscribe\r\n$13\r\nrtmp_commands\r\n:1\r\n"
	noHello    = "-ERR unknown command 'HELLO'\r\n"
)

// answers is what a Redis says to each command, by name; nothing if it has no
// entry.
type answers map[string]string

// healthy is a Redis before version 6, which had no HELLO.
var healthy = answers{"hello": noHello, "subscribe": subscribed, "ping": array("pong", "")}

// with returns a copy in which one answer differs.
func (a answers) with(command, answer string) answers {
	changed := answers{command: answer}
	for k, v := range a {
		if k != command {
			changed[k] = v
		}
	}
	return changed
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}

// scripted is a Redis in memory.
type scripted struct {
	mu       sync.Mutex
	answers  answers
	refusing bool        // connections
	hanging  bool        // instead of accepting connections
	dials    []time.Time // attempts to connect
	commands []string    // what came, by name
	conns    []net.Conn  // the ends of the server
}

func (r *scripted) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *scripted) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dials = append(r.dials, time.Now())
	switch {
	case r.refusing:
		return nil, errRefused
	case r.hanging:
		r.mu.Unlock()
		<-ctx.Done()
		r.mu.Lock()
		return nil, ctx.Err()
	}
	client, server := net.Pipe()
	r.conns = append(r.conns, server)
	go r.serve(server)
	return client, nil
}

func (r *scripted) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		name, err := readCommand(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.commands = append(r.commands, name)
		answer := r.answers[name]
		r.mu.Unlock()
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// readCommand reads an array of strings and returns the first, in lower case.
func readCommand(in *bufio.Reader) (name string, err error) {
	n, err := readLength(in, '*')
	for i := 0; i < n && err == nil; i++ {
		var length int
		if length, err = readLength(in, '$'); err != nil {
			break
		}
		text := make([]byte, length+2)
		if _, err = io.ReadFull(in, text); i == 0 {
			name = strings.ToLower(string(text[:length]))
		}
	}
	return name, err
}

func readLength(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("%q is not of type %q", line, kind)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// publish sends a message to the newest connection.
func (r *scripted) publish(payload string) {
	r.mu.Lock()
	conn := r.conns[len(r.conns)-1]
	r.mu.Unlock()
	_, _ = io.WriteString(conn, message(payload))
}

// hangUp closes the newest connection.
func (r *scripted) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.conns[len(r.conns)-1].Close()
}

func (r *scripted) attempts() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.dials)
}

func (r *scripted) heard(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var n int
	for _, c := range r.commands {
		if c == name {
			n++
		}
	}
	return n
}
