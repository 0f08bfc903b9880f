package socket

import (
	"net"
	"time"
)

// keepAlive finds a peer that vanished without a word, as behind a pulled
// cable, within 20 s although nothing is written to it.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 8 * time.Second, Interval: 3 * time.Second, Count: 3}

// SendBuffer bounds what the kernel holds for one viewer. Without it the
// kernel takes several seconds of video for a viewer that stopped reading. With it
// that is up to 640 KiB of memory: Linux doubles the bound for its own structures
// (SO_SNDBUF in socket(7)), and exceeds that a little.
const SendBuffer = 256 << 10

// Tune sets the socket options of a connection. Bytes that the peer leaves
// unacknowledged for as long as given end it. A failure costs nothing but the
// effect of the options.
func Tune(nc net.Conn, unreachable time.Duration) error {
	tcp, ok := Innermost(nc).(*net.TCPConn)
	if !ok {
		return nil
	}
	if err := tcp.SetKeepAliveConfig(keepAlive); err != nil {
		return err
	}
	if err := tcp.SetWriteBuffer(SendBuffer); err != nil {
		return err
	}
	return setUserTimeout(tcp, unreachable)
}

// CloseWrite tells the peer that nothing more comes, and lets it read what
// came before.
func CloseWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// ResetOnClose has whoever closes the socket reset it.
func ResetOnClose(nc net.Conn) {
	if tcp, ok := Innermost(nc).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// Innermost returns the connection below all wrappers: they have neither
// vectored writes nor socket options.
func Innermost(nc net.Conn) net.Conn {
	for {
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc
		}
		nc = wrapper.NetConn()
	}
}
