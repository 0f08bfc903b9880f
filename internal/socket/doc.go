// Package socket is what the protocols of the server share of their way to a peer:
// direct writes to TCP sockets, whose turn it is to write, and socket options.
package socket
