// Package vulnerabilities shows that test/vulnerabilities.sh would tell: it runs
// the script over databases of its own making, which know of vulnerabilities in a
// module that the server uses.
package vulnerabilities
