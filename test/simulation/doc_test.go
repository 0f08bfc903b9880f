// Package simulation plays random histories of a whole server: publishers,
// players, the backend that says who may publish, a Redis that brings an operator's
// orders, and the network between them, on connections in memory and in virtual
// time. A history is made from a seed: clients come, publish or play, fall behind,
// are cut off, vanish, stop, and come back; the backend is slow, refuses, hangs,
// fails, or forgets what it was told; channels are killed; the process of the server
// is killed, and starts anew with what is in its state directory; and in the end the
// server stops. In most histories the network takes its time, brings messages in
// slices, breaks connections in the midst of one, or swallows one direction of them.
// Whenever nothing moves any more, and at each message that a player receives, the
// following is checked:
//
//   - A channel has one publisher at most, who is replaced only where the policy
//     allows it, and its viewers get the media of one publication at a time.
//   - Each start that the authorizer accepted is stopped once: as soon as the
//     publisher has lost its channel, and not before.
//   - The backend hears the end of each start that it accepted in time: not before
//     it, once from each process of the server, and though all of them were killed.
//   - Nobody is killed whom no order was for: those for streams that are over, and
//     what is no order, are for nobody.
//   - A player gets media of its own channel and key only, of the tracks, in the codecs
//     and in the layouts that it takes, frames in order and once each.
//   - Every frame comes behind the header that it needs, and no keyframe group has
//     a hole.
//   - Timestamps of a track do not run backwards, through all publications that a
//     player sees. Those of frames, that is: a header that is sent again has the
//     time of a message beside it, and may be off by what the tracks are apart.
//   - A player that reads misses nothing, and neither does one that was behind for
//     less than the limit, or has waited for the publication.
//   - A player is told when the stream is over, as soon as the grace is.
//   - The log of a publication that is over is garbage as soon as no viewer is
//     behind.
//   - Behind the end of the server there are no connections, channels, starts,
//     counted addresses and goroutines, and neither server nor logs in memory.
//
// What is wrong at first sight while the network holds something back has to stay
// so for a few rounds, in which the publishers keep still.
//
// # Replaying
//
// A failure prints the seed and what happened. The history is the same each time,
// but for the scheduler: a step that is followed by the next at once, and what
// happens at the same virtual moment, may come out in another order. Where the
// failure comes each time, the history is printed without the steps that it does
// not need.
//
//	go test ./test/simulation -run Simulation -seed=49             one history
//	go test ./test/simulation -run Simulation -seed=49 -journal    … as it happened
//	make simulate HISTORIES=10000                                  many
//
// # Can it fail?
//
// mutate.sh puts bugs into a copy of the tree, one after the other, in the lag
// policy (a viewer is moved on without waiting for a keyframe, or without its
// headers, or too early), in the claim (the publisher that is replaced stays, a
// busy channel is given away, the start behind a lost claim is not stopped, any
// key may play), in what follows a publication, in what the backend is told, in
// whom an order is for, in what is let go of, and in what comes in pieces, and fails
// unless each is found within a minute of a processor: make simulate-mutants. It
// prints how long each took; when this was written most took a few seconds.
package simulation
