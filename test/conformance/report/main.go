// Command report writes docs/conformance.md from the output of "go test -json" on
// its standard input. It fails if a row has neither a green test nor a reason.
package main

import (
	"fmt"
	"os"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const module = "github.com/AgustinSRG/rtmp-server"

func main() {
	if err := report("docs/conformance.md"); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func report(path string) error {
	rows, err := conformance.Rows()
	if err != nil {
		return err
	}
	proofs, err := conformance.ReadRun(os.Stdin, module)
	if err != nil {
		return fmt.Errorf("read the test run: %w", err)
	}
	page, missing := conformance.Page(rows, proofs)
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil { // #nosec G306 -- a public page
		return err
	}
	if missing > 0 {
		return fmt.Errorf("%d rows are neither green nor declined, see %s", missing, path)
	}
	return nil
}
