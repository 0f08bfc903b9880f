package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// embedded is the package of npm that the program has within, for its page, and
	// which has the packages that it depends on within.
	embedded = "mpegts.js"
	// npmLock knows its version. Tests of the page hold the file against the package
	// of that version.
	npmLock = "test/browser/package-lock.json"
)

// npmPackage is a package as npm locks it.
type npmPackage struct {
	name         string
	Version      string
	License      string
	Integrity    string // an algorithm and, in base64, the hash of its archive
	Dependencies map[string]string
}

// purl names the package in lists of all ecosystems.
func (p npmPackage) purl() string { return "pkg:npm/" + p.name + "@" + p.Version }

// embeddedPackages returns those that the program has within, by their names.
func embeddedPackages(dir string) ([]npmPackage, error) {
	text, err := os.ReadFile(filepath.Join(dir, npmLock)) // #nosec G304 -- of the checkout
	if err != nil {
		return nil, err
	}
	var lock struct{ Packages map[string]npmPackage }
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("read %s: %w", npmLock, err)
	}
	found := make(map[string]npmPackage)
	for left := []string{embedded}; len(left) > 0; left = left[1:] {
		name := left[0]
		if _, ok := found[name]; ok {
			continue
		}
		p := lock.Packages["node_modules/"+name]
		if p.Version == "" || p.License == "" {
			return nil, fmt.Errorf("%s has no version and license of %s", npmLock, name)
		}
		p.name = name
		found[name] = p
		left = slices.AppendSeq(left, maps.Keys(p.Dependencies))
	}
	return slices.SortedFunc(maps.Values(found), func(a, b npmPackage) int { return strings.Compare(a.name, b.name) }), nil
}

// component is the package in a list in the format CycloneDX.
func (p npmPackage) component() (map[string]any, error) {
	encoded, ok := strings.CutPrefix(p.Integrity, "sha512-")
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return nil, fmt.Errorf("%s has no SHA-512 of %s", npmLock, p.name)
	}
	return map[string]any{
		"bom-ref": p.purl(), "purl": p.purl(), "type": "library", "scope": "required",
		"name": p.name, "version": p.Version,
		"licenses": []any{map[string]any{"license": map[string]any{"id": p.License}}},
		"hashes":   []any{map[string]any{"alg": "SHA-512", "content": hex.EncodeToString(sum)}},
	}, nil
}

// listEmbedded adds the packages to the list of the modules of a program.
func listEmbedded(path string, packages []npmPackage) error {
	text, err := os.ReadFile(path) // #nosec G304 -- just written
	if err != nil {
		return err
	}
	var list map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("read the list of modules: %w", err)
	}
	components, _ := list["components"].([]any)
	dependencies, _ := list["dependencies"].([]any)
	if len(dependencies) == 0 {
		return errors.New("the list of modules does not say what the program depends on")
	}
	// The tool begins with the program.
	program, _ := dependencies[0].(map[string]any)
	direct, _ := program["dependsOn"].([]any)
	refs := make(map[string]string)
	for _, p := range packages {
		refs[p.name] = p.purl()
	}
	program["dependsOn"] = append(direct, refs[embedded])
	for _, p := range packages {
		component, err := p.component()
		if err != nil {
			return err
		}
		components = append(components, component)
		dependency := map[string]any{"ref": p.purl()}
		if len(p.Dependencies) > 0 {
			var on []string
			for _, name := range slices.Sorted(maps.Keys(p.Dependencies)) {
				on = append(on, refs[name])
			}
			dependency["dependsOn"] = on
		}
		dependencies = append(dependencies, dependency)
	}
	list["components"], list["dependencies"] = components, dependencies
	return writeJSON(path, list)
}

func writeJSON(path string, v any) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644) // #nosec G306 -- to be published
}
