//go:build linux

// Command floor is the cheapest server for players that there can be: what it
// takes is what the kernel takes to send, so that a real server can be told
// how far from the possible it is.
//
// It publishes to itself: the stream is the one of "rtmp-server bench", which
// plays it with "-publishers 0". Players join through internal/rtmp; after that
// one thread makes the stream and writes to all sockets with direct system
// calls, sleeping in between. Nothing is read from players any more, and one
// that falls far behind is cut off.
//
//	floor -listen 127.0.0.1:1935 -players 300 -batch 20ms
//	floor -seal
//
// With -seal it measures encryption instead: the other part of what RTMPS
// cannot do without.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:1935", "address to listen on")
	batch := flag.Duration("batch", 0, "mean time between two writes to a player; 0 writes each message at once")
	players := flag.Int("players", 0, "once so many players joined, the garbage collector rests")
	seal := flag.Bool("seal", false, "measure encryption, print it as JSON, and end")
	flag.Parse()

	var err error
	if *seal {
		err = printSeal()
	} else {
		err = serve(*listen, *players, *batch)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// serve serves until the process is ended.
func serve(listen string, players int, batch time.Duration) error {
	l, err := newLoop(batch, players)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	// The loop keeps its processor for itself, and those who join need another.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	go l.run()
	return accept(listener, l)
}

func printSeal() error {
	perGB, err := measureSeal()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"cpu_seconds_per_gb": perGB})
}
