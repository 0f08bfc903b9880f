package main

import (
	_ "embed" // for the script
	"os"
	"path/filepath"
	"strconv"
)

//go:embed node-media-server.js
var nodeScript []byte

func nodeServer() contender {
	return contender{name: node, scheme: "rtmp", path: "/live/bench{n}",
		command: func(p places, dir string, port int) (command, error) {
			// The script finds the package beside itself.
			file := filepath.Join(p.cache, "node-media-server.js")
			if err := os.WriteFile(file, nodeScript, 0o600); err != nil {
				return command{}, err
			}
			return command{args: []string{"node", file, strconv.Itoa(port), dir}}, nil
		}}
}
