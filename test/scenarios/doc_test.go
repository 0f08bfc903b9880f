// Package scenarios plays whole RTMP sessions that are written down as text in
// testdata, in virtual time, and compares what the server says with the text.
//
// A scenario is a list of steps, each with what happened after it:
//
//	covers ROW…    the rows of the conformance list that the scenario proves
//	server [authorize=…] [takeover=…] [play-wait=…] [grace=…] [players=…] [enhanced=…] [hevc=…]
//	       [guesses=…] [mbps=…]
//	dial NAME [from=ADDRESS] [handshake=none]
//	send NAME [times=N]  one message a line, see rtmptest.ParseMessage
//	raw NAME       bytes as hex, see rtmptest.ParseHex
//	stall NAME     stop reading from the server; resume NAME goes on
//	close NAME     close the connection; half-close NAME only for writing
//	advance TIME   let time pass
//	kill CHANNEL   and close-stream CHANNEL ID, as by command
//	reconnect CHANNEL [URL]  ask for it, as by command
//	shutdown       stop the server, and wait for the end of that
//	drain LIMIT    the same behind a drain, and go on meanwhile
//
// Run the test with -rewrite after a change that is meant, and read the diff.
package scenarios
