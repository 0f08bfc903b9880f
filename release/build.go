package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// target is a system that programs are built for.
type target struct{ os, arch string }

var targets = []target{
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"linux", "armv7"},
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"windows", "amd64"},
}

// program is the name of the executable file.
func (t target) program() string {
	if t.os == "windows" {
		return "rtmp-server.exe"
	}
	return "rtmp-server"
}

// env has the compiler work for the target and for the oldest processors of its
// kind, whatever the settings of the one who builds.
func (t target) env() []string {
	arch := t.arch
	if arch == "armv7" {
		arch = "arm"
	}
	return neutral("GOOS="+t.os, "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOARM=7")
}

// neutral is the environment without what changes the bytes of a program.
func neutral(more ...string) []string {
	env := append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
	return append(env, more...)
}

// versionPackage has the variables that the linker sets.
const versionPackage = "github.com/AgustinSRG/rtmp-server/internal/version"

// build makes the program.
func build(src source, t target, path string) error {
	// Without its symbols it is a third smaller, and traces name functions all the
	// same. What git knows comes by the linker, since a copy without git has to be
	// the same.
	link := "-s -w -buildid= -X " + versionPackage + ".release=" + src.version + " -X " + versionPackage + ".revision=" + src.revision
	return command(src.dir, t.env(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+link, "-o", path, ".")
}

// listModules writes what the program is made of, as the program itself says.
func listModules(src source, program, path string) error {
	tool, err := sbomTool(src.dir)
	if err != nil {
		return err
	}
	return command(src.dir, neutral(), tool, "bin", "-json", "-noserial", "-notimestamp", "-std", "-version", src.version, "-output", path, program)
}

// sbomTool builds cyclonedx-gomod, and returns its path. Its own hash stands in what
// it writes, so that it has to be the same everywhere as well.
func sbomTool(dir string) (string, error) {
	cmd := exec.Command("go", "tool", "-modfile=test/tools.mod", "-n", "cyclonedx-gomod")
	cmd.Dir, cmd.Env = dir, neutral("GOFLAGS=-trimpath")
	cmd.Stderr = os.Stderr
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build cyclonedx-gomod: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// command runs a program, and shows what it says if it fails.
func command(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...) // #nosec G204 -- the commands above
	cmd.Dir, cmd.Env = dir, env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), args[0], err, &said)
	}
	return nil
}
