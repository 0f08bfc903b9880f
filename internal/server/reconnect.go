package server

import "github.com/AgustinSRG/rtmp-server/internal/amf"

// What a client and the request to connect anew have to do with each other.
const (
	_ uint32 = iota // it does not know it
	canReconnect
)

// capsReconnect is the bit of capsEx with which a client announces that it
// understands the request (Enhanced RTMP v2, Enhancing NetConnection connect
// Command).
const capsReconnect = 1

// noteReconnect reads the connect command.
func (c *conn) noteReconnect(object amf.Object) {
	value, _ := object.Get("capsEx")
	if n, ok := amf.AsNumber(value); ok && n >= 0 && n < 1<<32 && uint32(n)&capsReconnect != 0 {
		c.reconnect.Store(canReconnect)
	}
}
