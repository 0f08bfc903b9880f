// Package rtmptest helps tests to hold RTMP sessions: connections in memory
// that work in virtual time, and a text form for messages, in which sessions
// are written down and compared.
package rtmptest
