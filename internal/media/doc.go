// Package media knows facts about audio, video and script payloads: the codec, the track, whether a message is
// a keyframe or a sequence header, the picture size, the sample rate. With them a stream keeps the right
// headers for newcomers and starts each of them at a keyframe.
//
// A payload is the body of an RTMP message of type 8, 9 or 18, which is the data of an FLV tag. The legacy
// layouts are those of the FLV specification 10.1, annex E; the others are those of Enhanced RTMP v2.
//
// Contract:
//
//   - All facts are informational. A payload that is unknown, truncated or malformed is [Opaque]: a server forwards
//     it as it is, keeps nothing of it, and the connection goes on.
//   - Nothing here panics, whatever the bytes, and memory is at most proportional to the input.
//   - [Inspect], [InspectVideo] and [InspectAudio] run for each message: they allocate nothing and look only at the
//     header; nor does [Packet.Traits], which says whether a viewer has to be sent other bytes. Everything else is for
//     headers and other rare messages, and for what all viewers of a kind share.
//   - Payloads are shared and read-only. No function changes its argument; those that rewrite ([Split], [StripModEx],
//     [Unwrap], [RelayMetadata], [Capabilities.Adapt]) return new bytes, or the argument itself when there is
//     nothing to rewrite.
//   - Nothing is remembered between messages: the track is in each of them, and a message that names none is of
//     track 0.
package media
