package simulation

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

const redisChannel = "rtmp_commands"

// fakeRedis is as much of Redis as a subscriber needs, on connections in memory.
type fakeRedis struct {
	mu    sync.Mutex // guards what follows
	up    bool
	conns map[net.Conn]bool // whether it has subscribed
}

func (r *fakeRedis) dial(context.Context, string, string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.up {
		return nil, errUnreachable
	}
	client, end := net.Pipe()
	if r.conns == nil {
		r.conns = make(map[net.Conn]bool)
	}
	r.conns[end] = false
	go r.serve(end)
	return client, nil
}

func (r *fakeRedis) serve(conn net.Conn) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, conn)
		_ = conn.Close()
	}()
	in := bufio.NewReader(conn)
	for {
		name, err := readRedisCommand(in)
		if err != nil {
			return
		}
		answer := "-ERR unknown command\r\n"
		switch name {
		case "subscribe":
			answer = "*3\r\n$9\r\nsubscribe\r\n$13\r\n" + redisChannel + "\r\n:1\r\n"
		case "ping":
			answer = resp("pong", "")
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
		if name == "subscribe" {
			r.mu.Lock()
			if _, open := r.conns[conn]; open {
				r.conns[conn] = true
			}
			r.mu.Unlock()
		}
	}
}

// readRedisCommand reads an array of strings, and returns the first.
func readRedisCommand(in *bufio.Reader) (name string, err error) {
	n, err := readRedisLength(in)
	for i := 0; i < n && err == nil; i++ {
		var length int
		if length, err = readRedisLength(in); err != nil {
			break
		}
		text := make([]byte, length+2)
		if _, err = io.ReadFull(in, text); i == 0 {
			name = strings.ToLower(string(text[:length]))
		}
	}
	return name, err
}

func readRedisLength(in *bufio.Reader) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// resp is an array of strings as Redis writes it.
func resp(parts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(parts))
	for _, p := range parts {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(p), p)
	}
	return b.String()
}

// publish sends a message to whoever has subscribed.
func (r *fakeRedis) publish(payload string) {
	r.mu.Lock()
	var subscribers []net.Conn
	for conn, subscribed := range r.conns {
		if subscribed {
			subscribers = append(subscribers, conn)
		}
	}
	r.mu.Unlock()
	for _, conn := range subscribers {
		_, _ = io.WriteString(conn, resp("message", redisChannel, payload))
	}
}

// do has Redis go, come back, or say what is no command.
func (r *fakeRedis) do(how string) {
	if how == "talk nonsense" {
		for _, payload := range []string{
			"kill-session", "kill-session>", "KILL-SESSION>one", "kill-session>one|two", "close-stream>one|", "close-stream>one|*",
			"close-stream>one two", strings.Repeat("kill-session>one ", 1000),
		} {
			r.publish(payload)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.up = how == "come"; r.up {
		return
	}
	for conn := range r.conns {
		_ = conn.Close()
	}
}
