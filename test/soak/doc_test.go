// Package soak keeps a real server busy for a long time and wants nothing of it to
// grow.
//
// Visitors come and go by the tens of thousands: publishers, players by RTMP and
// RTMPS, players that wait, take-overs, encoders that lose their connection and
// return, and attackers that stall, trickle, send junk or cut a session at a random
// byte. Meanwhile the callback fails and hangs, Redis is killed and told junk, and
// the certificate is renewed. A canary plays through all of it and must miss
// nothing.
//
// What may not grow is watched: memory, descriptors and goroutines, by the slope of
// their samples. At the end the books must balance: each connection that was opened
// has ended once, each start that the callback accepted has its stop, and an empty
// server holds what it held before anybody came.
//
// "go test" soaks for 20 s, in which slopes say nothing and the books are checked
// all the same; "make soak" takes 15 minutes. A failure names its seed.
package soak
