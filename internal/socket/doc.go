// Package socket is what the protocols of the server share of their way to a peer:
// direct writes to TCP sockets, memory that is fetched before it is needed, whose turn
// it is to write, socket options, and what to do when there are no descriptors.
package socket
