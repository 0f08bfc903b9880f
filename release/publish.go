package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const sumsName = "SHA256SUMS"

// publish makes the files of a version in a directory that is there.
func publish(src source, targets []target, out string) error {
	// The tool runs in src.dir.
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "rtmp-server-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	var names []string
	for _, t := range targets {
		files, err := publishTarget(src, t, work, out)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", t.os, t.arch, err)
		}
		names = append(names, files...)
	}
	return writeSums(out, names)
}

// publishTarget makes the files for one system, and returns their names.
func publishTarget(src source, t target, work, out string) ([]string, error) {
	name := strings.Join([]string{"rtmp-server", src.version, t.os, t.arch}, "-")
	program := filepath.Join(work, name, t.program())
	if err := build(src, t, program); err != nil {
		return nil, err
	}
	list := name + ".cdx.json"
	if err := listModules(src, program, filepath.Join(out, list)); err != nil {
		return nil, err
	}
	packages, err := embeddedPackages(src.dir)
	if err != nil {
		return nil, err
	}
	if err := listEmbedded(filepath.Join(out, list), packages); err != nil {
		return nil, err
	}
	archive := name + ".tar.gz"
	pack := tarball
	if t.os == "windows" {
		archive, pack = name+".zip", zipball
	}
	contents, err := pack(name, src.time, []string{
		program, filepath.Join(src.dir, "LICENSE"), filepath.Join(src.dir, "README.md"),
	})
	if err != nil {
		return nil, err
	}
	return []string{archive, list}, os.WriteFile(filepath.Join(out, archive), contents, 0o644) // #nosec G306 -- to be published
}

// writeSums writes what sha256sum -c reads.
func writeSums(dir string, names []string) error {
	var sums strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- written above
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(text), name)
	}
	return os.WriteFile(filepath.Join(dir, sumsName), []byte(sums.String()), 0o644) // #nosec G306 -- to be published
}
