// Package server accepts RTMP connections, lets encoders publish and players
// watch, and writes each stream to its viewers.
//
// Every connection has a goroutine that reads, and owns the session: it
// reassembles messages, carries out commands and appends media to the log of
// the channel; after the handshake it never waits for the peer's socket to take
// bytes. The socket is written by one at a time, whoever has the turn: a pass of
// the fan-out, the reading goroutine, or a goroutine that waits for a full socket.
// Answers go first, then for each player everything between its cursor and the
// tail of the log. A third party — a command, another publisher, the server's
// stop — only ever asks a connection to end, which neither blocks nor waits.
//
// [Server.Serve] accepts connections until [Server.Drain], which lets clients
// leave that can connect elsewhere, [Server.Shutdown], which tells the peers and
// waits for them, or [Server.Close], which does not.
package server
