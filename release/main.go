// Command release builds what is published of a version: for each system an archive
// with the program, the list of the modules and packages it is made of (CycloneDX), and the
// SHA-256 sums of all of it.
//
// Whoever has the same sources and the same Go gets the same bytes, in whatever
// directory: nothing of the machine, its user or the time goes into them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "dist", "directory for the files, made anew")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	src, err := describe(".", os.Getenv)
	if err != nil {
		return err
	}
	if err := empty(out); err != nil {
		return err
	}
	return publish(src, targets, out)
}

// empty makes the directory, and removes the files of another version from it. A
// directory that holds anything else is the mistake of whoever named it.
func empty(dir string) error {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case len(entries) > 0:
		if _, err := os.Stat(filepath.Join(dir, sumsName)); err != nil {
			return fmt.Errorf("%s holds no %s: it is not of this program: %w", dir, sumsName, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o750)
}
