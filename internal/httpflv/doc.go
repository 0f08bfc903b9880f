// Package httpflv serves viewers over HTTP and WebSocket: at /CHANNEL/KEY.flv
// there is an FLV file that goes on for as long as the channel is live.
//
// A viewer is one more kind of cursor on the log of a publication, as one of RTMP
// is: the fan-out wakes it, and it writes what is new to it straight to its socket,
// laid out once for all. The body of a GET has no length and ends with the
// connection (RFC 9112 section 6.3), since tags say where they end themselves and
// chunks would cost each viewer bytes of its own; FFmpeg, mpegts.js and proxies
// take it. Over WebSocket each message is binary and has whole tags; the first begins
// with the header of the file. Over HTTP/2 the same bytes go through [net/http].
//
// The timestamps are those of the publication, as over RTMP: whoever joins late
// does not start at 0. All viewers share the bytes, and players take the first
// timestamp for their beginning.
package httpflv
