// Package troubleshooting ties docs/troubleshooting.md to the code: whoever adds a
// reason, a refusal or a warning learns that it has no entry for operators yet, and
// whoever rewords one that the entry is stale.
package troubleshooting
