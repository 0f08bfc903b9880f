//go:build !linux

package socket

import (
	"net"
	"time"
)

// setUserTimeout does nothing: only Linux has TCP_USER_TIMEOUT. Elsewhere the
// write deadline alone finds peers that stopped reading.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }
