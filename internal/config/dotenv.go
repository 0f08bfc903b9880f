package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"github.com/joho/godotenv"
)

// maxDotEnv is the largest file that is read for settings, in bytes. It stops what is no such file, say a log or a device,
// from filling the memory.
const maxDotEnv = 64 << 10

// DotEnv returns a lookup in the environment and, for variables that are not set there (not even to nothing), in the file at
// path. The file has lines such as NAME=value, as godotenv reads them; it need not exist. The error names the file and the line,
// and never quotes it, because such files hold passwords.
func DotEnv(path string) (Lookup, error) {
	file, err := readDotEnv(path)
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	return overlay(os.LookupEnv, file), nil
}

// overlay looks into above first and then into below.
func overlay(above Lookup, below map[string]string) Lookup {
	return func(name string) (string, bool) {
		if value, ok := above(name); ok {
			return value, true
		}
		value, ok := below[name]
		return value, ok
	}
}

func readDotEnv(path string) (map[string]string, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator's own file, named by main
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	text, err := io.ReadAll(io.LimitReader(file, maxDotEnv+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxDotEnv:
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxDotEnv)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // which editors on Windows put first
	values, ok := parseDotEnv(text)
	if !ok {
		return nil, fmt.Errorf("%s: line %d cannot be read, expected NAME=value", path, malformedLine(text))
	}
	return values, nil
}

// parseDotEnv reports only that there is an error, since godotenv's errors quote the rest of the file. It refuses two slips that
// godotenv takes for names: a last line without "=", and spaces within a name.
func parseDotEnv(text []byte) (values map[string]string, ok bool) {
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, false
	}
	for name := range values {
		if name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
			return nil, false
		}
	}
	return values, true
}

// malformedLine returns the number, from 1, of the line where the first statement begins that cannot be read. Quoted values
// may span lines, so a statement ends with the first line that makes it readable.
func malformedLine(text []byte) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	start := 0
	for end := range lines {
		if _, ok := parseDotEnv(bytes.Join(lines[start:end+1], nil)); ok {
			start = end + 1
		}
	}
	return start + 1
}
