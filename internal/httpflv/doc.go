// Package httpflv serves viewers over HTTP and WebSocket: at /CHANNEL/KEY.flv
// there is an FLV file that goes on for as long as the channel is live.
//
// A viewer is one more kind of cursor on the log of a publication, as one of RTMP
// is: the fan-out wakes it, and it writes what is new to it straight to its socket,
// laid out once for all. The body of a GET comes in chunks (RFC 9112 section 7.1),
// one for each write: without them FFmpeg takes the end of the stream for a failure.
// To HTTP/1.0 it ends with the connection. Over WebSocket each message is binary and has whole tags; the first begins
// with the header of the file. Over HTTP/2 the same bytes go through [net/http].
//
// The timestamps are those of the publication, as over RTMP: whoever joins late
// does not start at 0. All viewers share the bytes, and players take the first
// timestamp for their beginning.
package httpflv
