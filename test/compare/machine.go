package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// describe is the head of the report: what was measured, on what.
func describe(ctx context.Context, c *comparison) (string, error) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	processors, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	version, err := exec.CommandContext(ctx, c.places.server(), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask rtmp-server for its version: %w", err)
	}
	module, err := firstLine(ctx, "dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-rtmp")
	if err != nil {
		return "", err
	}
	web, err := firstLine(ctx, "nginx", "-v")
	if err != nil {
		return "", err
	}
	engine, err := firstLine(ctx, "node", "--version")
	if err != nil {
		return "", err
	}
	lines := []string{
		"## Comparison",
		"",
		fmt.Sprintf("- machine: %d cores of %s, Linux %s", runtime.NumCPU(), cpuModel(string(processors)), strings.TrimSpace(string(kernel))),
		"- " + strings.TrimSpace(string(version)),
		fmt.Sprintf("- nginx-rtmp: module %s, %s", module, web),
		fmt.Sprintf("- Node-Media-Server %s, Node.js %s", c.places.nodeVersion(), engine),
		"- floor: one thread, direct system calls, the stream made by itself; " + runtime.Version(),
		fmt.Sprintf("- server on core %d, load generator on core %d, loopback with quickack, 1 GB = 1e9 bytes", serverCore, generatorCore),
		fmt.Sprintf("- rounds: %d, each run %v of steady state; one stream of %s, 30 frames a second, unless said otherwise",
			c.options.rounds, c.options.steady(), streamLabel),
		fmt.Sprintf("- at most %d open files for each process", fileLimit()),
	}
	if c.options.wants(stepCapacity) {
		lines = append(lines, "- the capacity is searched "+times(c.options.searches))
	}
	return strings.Join(append(lines, ""), "\n"), nil
}

// times says how often something is done that begins where it ended before.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times, each search from where the one before ended", n)
}

// firstLine is what a program says of itself, on either output.
func firstLine(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("ask %s for its version: %w", name, err), errors.New(string(out)))
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), nil
}

func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "an unknown kind"
}
