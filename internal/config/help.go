package config

import (
	"fmt"
	"io"
	"strings"
)

const usage = `rtmp-server receives live streams by RTMP and hands them to players.

Usage: rtmp-server            serve
       rtmp-server --check    exit with status 0 if the server with these settings answers
       rtmp-server bench      load this or another server, and measure it; see rtmp-server bench -h
       rtmp-server --version
       rtmp-server --help

Settings are environment variables. A file named .env in the working directory may set them
too, and never overrides the environment.
`

// WriteHelp writes the text of rtmp-server --help.
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString(usage)
	group := ""
	for _, r := range table {
		if r.group != group {
			group = r.group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		fmt.Fprintf(&b, "  %s", r.name)
		if r.fallback != "" {
			fmt.Fprintf(&b, " (default %s)", r.fallback)
		}
		fmt.Fprintf(&b, "\n        %s\n        takes %s\n", r.help, r.expected)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown returns the settings as a table in GitHub's Markdown, for the documentation.
func Markdown() string {
	literal := strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`)
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n| --- | --- | --- |\n")
	for _, r := range table {
		fallback := "empty"
		if r.fallback != "" {
			fallback = "`" + r.fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s; takes %s |\n", r.name, fallback, literal.Replace(r.help), literal.Replace(r.expected))
	}
	return b.String()
}
