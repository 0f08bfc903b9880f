package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// nodeMediaServer is the version of the npm package that is compared with.
const nodeMediaServer = "4.4.3"

// debianPackages are installed if they are missing.
var debianPackages = []string{"iproute2", "libnginx-mod-rtmp", "nginx", "nodejs", "npm", "util-linux"}

// places are where things are kept.
type places struct {
	root      string // of the module
	cache     string // what is built and installed; kept from one comparison to the next
	temporary string // configurations and logs of one comparison
}

func findPlaces(ctx context.Context) (places, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return places{}, fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	return places{root: root, cache: filepath.Join(root, ".cache", "compare")}, nil
}

// server is rtmp-server, which is the load generator too.
func (p places) server() string { return filepath.Join(p.cache, "rtmp-server") }

func (p places) floor() string { return filepath.Join(p.cache, "floor") }

// prepare installs and builds whatever is missing.
func (p places) prepare(ctx context.Context, o options, log io.Writer) error {
	if os.Getuid() != 0 {
		return errors.New("this needs root, for packages and for a network namespace")
	}
	if err := os.MkdirAll(p.cache, 0o755); err != nil {
		return err
	}
	if err := installDebian(ctx, log); err != nil {
		return err
	}
	if err := p.installNode(ctx, log); err != nil {
		return err
	}
	if err := execute(ctx, log, p.root, "go", "build", "-o", p.floor(), "./test/compare/floor"); err != nil {
		return err
	}
	if o.binary != "" {
		return execute(ctx, log, ".", "cp", o.binary, p.server())
	}
	return execute(ctx, log, p.root, "go", "build", "-o", p.server(), ".")
}

func installDebian(ctx context.Context, log io.Writer) error {
	missing := slices.DeleteFunc(slices.Clone(debianPackages), func(name string) bool {
		return installed(ctx, name)
	})
	// Node.js need not come from Debian.
	missing = slices.DeleteFunc(missing, func(name string) bool {
		program := map[string]string{"nodejs": "node", "npm": "npm"}[name]
		_, err := exec.LookPath(program)
		return program != "" && err == nil
	})
	if len(missing) == 0 {
		return nil
	}
	_, _ = fmt.Fprintln(log, "installing:", strings.Join(missing, " "))
	if err := execute(ctx, log, ".", "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return execute(ctx, log, ".", "apt-get", append([]string{"install", "-qq", "-y", "--no-install-recommends"}, missing...)...)
}

func installed(ctx context.Context, name string) bool {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Status}", name).Output()
	return err == nil && strings.Contains(string(out), "ok installed")
}

func (p places) installNode(ctx context.Context, log io.Writer) error {
	if p.nodeVersion() == nodeMediaServer {
		return nil
	}
	return execute(ctx, log, p.cache, "npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock",
		"--prefix", p.cache, "node-media-server@"+nodeMediaServer)
}

// nodeVersion is the version of Node-Media-Server that is installed, or empty.
func (p places) nodeVersion() string {
	text, err := os.ReadFile(filepath.Join(p.cache, "node_modules", "node-media-server", "package.json"))
	if err != nil {
		return ""
	}
	var description struct{ Version string }
	if json.Unmarshal(text, &description) != nil {
		return ""
	}
	return description.Version
}

func execute(ctx context.Context, log io.Writer, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}
