package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// joinTimeout is how long one connection may take until its play is answered.
const joinTimeout = 10 * time.Second

// joinSilent has players ask for a stream that nobody publishes, one after the
// other. They stay until leave is called, which is to be done also after an
// error.
func joinSilent(ctx context.Context, addr string, players int) (leave func(), err error) {
	conns := make([]net.Conn, 0, players)
	leave = func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
	for range players {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return leave, err
		}
		conns = append(conns, conn)
		if err := play(conn, "silent", "key"); err != nil {
			return leave, err
		}
	}
	return leave, nil
}

// play goes through everything up to the answer to play.
func play(conn net.Conn, app, name string) error {
	if err := conn.SetDeadline(time.Now().Add(joinTimeout)); err != nil {
		return err
	}
	client := rtmp.NewClient(conn)
	_, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader})
	if err != nil {
		return err
	}
	_, err = client.Connect(rtmp.ConnectOptions{App: app, TCURL: "rtmp://" + conn.RemoteAddr().String() + "/" + app})
	if err != nil {
		return err
	}
	id, err := client.CreateStream()
	if err != nil {
		return err
	}
	return errors.Join(client.Play(id, name), conn.SetDeadline(time.Time{}))
}
