//go:build linux

package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

const (
	// chunkSize is that of rtmp-server.
	chunkSize = 60000
	// ackWindow is as well.
	ackWindow = 5_000_000
	// joinTimeout is how long a player may take to ask for the stream.
	joinTimeout = 10 * time.Second
	// streamID is that of the one message stream of each connection.
	streamID = 1
)

// accept lets players join until the listener is closed. It waits for nobody.
func accept(listener net.Listener, l *loop) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			// The loop has a descriptor of its own by then.
			defer func() { _ = conn.Close() }()
			if err := join(conn.(*net.TCPConn), l); err != nil {
				// Whoever connects to see whether anybody listens ends here too.
				return
			}
		}()
	}
}

// join answers everything up to play, whatever the stream is called, and hands
// the socket to the loop.
func join(conn *net.TCPConn, l *loop) error {
	if err := conn.SetDeadline(time.Now().Add(joinTimeout)); err != nil {
		return err
	}
	buffered := bufio.NewReaderSize(conn, 4<<10)
	if _, err := rtmp.AcceptHandshake(buffered, conn, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
		return err
	}
	reader := rtmp.NewReader(buffered, rtmp.UnacceptedLimits)
	for {
		m, err := reader.ReadMessage()
		if err != nil {
			return err
		}
		if m.Type != rtmp.TypeCommand {
			continue
		}
		call, err := rtmp.ParseCommand(m)
		if err != nil {
			return err
		}
		if call.Name == "play" {
			return handOver(conn, l)
		}
		if _, err := conn.Write(answer(call)); err != nil {
			return err
		}
	}
}

// answer is what a call before play gets.
func answer(call rtmp.Command) []byte {
	switch call.Name {
	case "connect":
		b := rtmp.AppendMessage(nil, rtmp.WindowAckSize(ackWindow), rtmp.DefaultChunkSize)
		b = rtmp.AppendMessage(b, rtmp.SetChunkSize(chunkSize), rtmp.DefaultChunkSize)
		return rtmp.AppendMessage(b, rtmp.ConnectResult(call.Transaction, 0), chunkSize)
	case "createStream":
		return rtmp.AppendMessage(nil, rtmp.Result(call.Transaction, float64(streamID)), chunkSize)
	default:
		return nil
	}
}

// handOver tells the player that it plays and gives a descriptor of its socket
// to the loop.
func handOver(conn *net.TCPConn, l *loop) error {
	start := rtmp.Status{Level: rtmp.LevelStatus, Code: rtmp.CodePlayStart, Description: "Started playing stream."}
	b := rtmp.AppendMessage(nil, rtmp.UserControl(rtmp.EventStreamBegin, streamID), chunkSize)
	b = rtmp.AppendMessage(b, rtmp.OnStatus(streamID, start), chunkSize)
	for _, m := range l.headers {
		b = rtmp.AppendMessage(b, m, chunkSize)
	}
	if _, err := conn.Write(b); err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var fd int
	var failed error
	// The duplicate is as non-blocking as the original, but the poller of the
	// runtime does not watch it.
	if err := raw.Control(func(original uintptr) { fd, failed = unix.Dup(int(original)) }); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("duplicate the socket: %w", failed)
	}
	l.add(fd)
	return nil
}
