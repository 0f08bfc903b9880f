//go:build !linux || portable

package server

import "net"

// newDirectInput returns nil: connections are read through package net.
func newDirectInput(net.Conn) input { return nil }
