package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// capable returns a client that understands a request to reconnect.
func (f *fixture) capable() (*rtmp.Client, *rtmptest.Conn) {
	f.t.Helper()
	conn := f.dial()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		f.t.Fatal(err)
	}
	if _, err := client.Call(rtmp.Command{Name: "connect", Object: amf.Object{
		{Name: "app", Value: "live"}, {Name: "capsEx", Value: 1.0},
	}}); err != nil {
		f.t.Fatal(err)
	}
	return client, conn
}

// TestADrainEndsWithTheLastThatWasAsked has clients leave during it, and others
// stay for as long.
func TestADrainEndsWithTheLastThatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		_, plain := f.client("live")
		defer func() { _ = plain.Close() }()
		go func() { _ = drain(plain) }()
		asked := make(chan int, 2)
		for i := range 2 {
			client, conn := f.capable()
			go func() { asked <- countStatus(client, rtmp.CodeReconnectRequest) }()
			time.AfterFunc(time.Duration(i+1)*time.Second, func() { _ = conn.Close() })
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		f.Drain(ctx)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		if a, b := <-asked, <-asked; a != 1 || b != 1 {
			t.Errorf("clients were asked %d and %d times", a, b)
		}
		if n := f.Connections(); n == 0 {
			t.Error("the one that was not asked is gone")
		}
		if _, err := f.listener.Dial(testAddr); err == nil {
			t.Error("the server still accepts")
		}
	})
}

func TestADrainEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		_, conn := f.capable()
		go func() {
			_ = drain(conn)
			_ = conn.Close()
		}()
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		f.Drain(ctx)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestADrainEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		_, conn := f.capable()
		go func() {
			_ = drain(conn)
			_ = conn.Close()
		}()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			f.Drain(context.Background())
		}()
		synctest.Wait()
		f.stop()
		<-drained
	})
}

// TestNobodyIsAskedOnAConnectionThatEnds does not have a request follow the last
// words.
func TestNobodyIsAskedOnAConnectionThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		_, conn := f.capable()
		defer func() { _ = conn.Close() }()
		c := f.open()[0]
		c.end(stream.ReasonShutdown, errors.New("test"))
		if c.RequestReconnect("") || c.Leaving() {
			t.Error("it was asked")
		}
		go func() { _ = drain(conn) }()
	})
}
