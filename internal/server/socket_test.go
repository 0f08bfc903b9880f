package server

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// TestSessionOverTCP has a real socket tuned, refused and hung up.
func TestSessionOverTCP(t *testing.T) {
	f := newFixture(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Connect(rtmp.ConnectOptions{App: "live", FlashVersion: strings.Repeat("x", 300)}); err != nil {
		t.Fatal(err)
	}
	if err := drainAfterPlay(client, conn); err != nil {
		t.Errorf("the connection ended with %v, want an orderly end", err)
	}
	_ = conn.Close()
	f.stop()
	if err := <-served; !errors.Is(err, ErrServerClosed) {
		t.Errorf("serve returned %v", err)
	}
	f.wantLog("client="+strings.Repeat("x", maxLogField)+"…\n", 1)
	f.wantLog("addr="+conn.LocalAddr().String(), 2)
	f.wantLog("reason=\""+string(ReasonBadState)+"\"", 1)
}

// drainAfterPlay plays on a stream that does not exist, and leaves bytes unread
// by the server behind.
func drainAfterPlay(client *rtmp.Client, conn net.Conn) error {
	if err := client.WriteMessage(rtmp.Command{Name: "play", Args: []any{"key"}}.Message(7)); err != nil {
		return err
	}
	if err := client.WriteMessage(rtmp.Message{Type: rtmp.TypeVideo, Stream: 7, Payload: make([]byte, 60_000)}); err != nil {
		return err
	}
	return drain(conn)
}
