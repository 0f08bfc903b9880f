package main

import (
	"path/filepath"
	"strconv"
	"time"
)

// Names of the contenders, as in the tables and in the raw reports.
const (
	ours        = "rtmp-server"
	oursNoDelay = "rtmp-server, no write delay"
	oursTLS     = "rtmp-server, RTMPS"
	nginx       = "nginx-rtmp"
	node        = "Node-Media-Server"
	floor       = "floor"
)

// oursPath is the path of stream {n} on rtmp-server.
const oursPath = "/bench{n}/key"

// contender is a server that can be measured. Each starts as one process
// without any log but errors.
type contender struct {
	name   string
	scheme string // rtmp or rtmps
	// path is that of stream {n}: servers differ in how deep it has to be.
	path string
	// command prepares the server to listen on a port of 127.0.0.1, with what it
	// wants to keep in a directory of its own.
	command func(p places, dir string, port int) (command, error)
}

// command is how a program is started: its file and arguments, and what is
// added to an environment that holds nothing but PATH.
type command struct {
	args []string
	env  []string
	// publish is the port for publishers, if that is not the one for players.
	publish int
}

func (c contender) url(port int) string {
	return c.scheme + "://127.0.0.1:" + strconv.Itoa(port) + c.path
}

// ourServer is rtmp-server with default settings, but for the limit that would
// keep 4 connections of the one address all players come from.
func ourServer(name string, settings ...string) contender {
	return contender{name: name, scheme: "rtmp", path: oursPath,
		command: func(p places, _ string, port int) (command, error) {
			return command{
				args: []string{p.server()},
				env:  append(ourSettings("RTMP_PORT", port), settings...),
			}, nil
		}}
}

func ourSettings(portName string, port int) []string {
	return []string{
		"BIND_ADDRESS=127.0.0.1",
		"MAX_IP_CONCURRENT_CONNECTIONS=0",
		"LOG_REQUESTS=NO",
		portName + "=" + strconv.Itoa(port),
	}
}

// ourTLSServer is the same, to be used by RTMPS.
func ourTLSServer() contender {
	return contender{name: oursTLS, scheme: "rtmps", path: oursPath,
		command: func(p places, dir string, port int) (command, error) {
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			if err := writeCertificate(cert, key); err != nil {
				return command{}, err
			}
			return command{
				args: []string{p.server()},
				env:  append(ourSettings("SSL_PORT", port), "RTMP_PORT=0", "SSL_CERT="+cert, "SSL_KEY="+key),
			}, nil
		}}
}

// floorServer costs what the kernel costs. It makes the stream itself and
// writes once in a batch on average; 0 is one write for each message. Its loop never calls
// the runtime, which is told not to send it signals for that.
func floorServer(batch time.Duration, players int) contender {
	return contender{name: floor, scheme: "rtmp", path: oursPath,
		command: func(p places, _ string, port int) (command, error) {
			return command{args: []string{
				p.floor(), "-listen", "127.0.0.1:" + strconv.Itoa(port),
				"-batch", batch.String(), "-players", strconv.Itoa(players),
			}, env: []string{"GODEBUG=asyncpreemptoff=1"}}, nil
		}}
}
