// Package coordinator asks a control server, over one lasting WebSocket, who
// may publish. It takes the place of the event callback.
//
// Messages are text: a line with the method, then lines of "Name: value". The
// server sends PUBLISH-REQUEST, PUBLISH-END and, every 20 s, HEARTBEAT; the
// coordinator sends PUBLISH-ACCEPT, PUBLISH-DENY, STREAM-KILL and ERROR.
//
// What a caller may rely on:
//
//   - It fails closed. Without a connection, without an answer in 5 s, or with
//     an answer that holds no usable stream id, nobody starts to publish.
//   - A lost connection touches nobody who publishes already. It comes back by
//     itself, with growing pauses.
//   - Each stream that the coordinator accepted is ended by a PUBLISH-END, also
//     when the acceptance came too late to be of use. An end is kept until a
//     pong has shown that the coordinator read it, so that it can arrive twice,
//     as after a cut. Only a coordinator that stays away for longer than the
//     process lives, or than [maxEnds] streams, misses any.
//   - Neither log lines nor errors show a stream key of a request, the token or
//     the secret.
package coordinator
