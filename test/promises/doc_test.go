// Package promises ties SECURITY.md to the tests: whoever renames or removes a test
// that proves a promise learns of it.
package promises
