package server

import (
	"net"
	"time"
)

// keepAlive finds a peer that vanished without a word, as behind a pulled
// cable, within 20 s although nothing is written to it.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 8 * time.Second, Interval: 3 * time.Second, Count: 3}

// sendBuffer bounds what the kernel holds for one viewer. Without it the
// kernel takes several seconds of video for a viewer that stopped reading.
const sendBuffer = 256 << 10

// tune sets the socket options of a connection. A failure costs nothing but
// their effect.
func tune(nc net.Conn) error {
	tcp, ok := innermost(nc).(*net.TCPConn)
	if !ok {
		return nil
	}
	if err := tcp.SetKeepAliveConfig(keepAlive); err != nil {
		return err
	}
	if err := tcp.SetWriteBuffer(sendBuffer); err != nil {
		return err
	}
	return setUserTimeout(tcp, unreachableTimeout)
}

// closeWrite tells the peer that nothing more comes, and lets it read what
// came before.
func closeWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
