package access

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

const (
	// expiryNotice is how long before its end a certificate is warned about: whoever renews by hand needs the days, and
	// renewal by machine (30 days ahead with Let's Encrypt) has failed for two weeks by then.
	expiryNotice = 14 * 24 * time.Hour
	// expiryReminder is the pause between two warnings about the same end.
	expiryReminder = 24 * time.Hour
)

// errTruncated says that a PEM file stops inside a block. Without this check a chain of which only the first certificate
// is written yet would pass for a certificate without a chain.
var errTruncated = errors.New("the file ends within a PEM block")

// Certificate is a key pair on disk that is read again when it changes. Connections that are open keep the pair they were
// made with. All methods may be used by any number of goroutines, except for Watch, which runs once.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]

	// What follows belongs to whoever loads and then to Watch.

	cert, key []byte    // contents of the files that current was made of
	failure   string    // the last one that was logged, empty when the files are usable
	reminded  time.Time // of the expiry, zero if never
}

// LoadCertificate reads a certificate with its chain, and its private key, both PEM. The error names the file at fault, or
// both when they do not belong together, and never shows what is in them.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.reload(); err != nil {
		return nil, err
	}
	c.announce()
	c.remind(time.Now())
	return c, nil
}

// TLSConfig returns a configuration for servers whose new connections use the pair as it is by then. It takes TLS 1.2,
// which is all that many hardware encoders have, and 1.3.
func (c *Certificate) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}

// Watch looks at the files at the given interval until ctx ends, and takes on a new pair. A pair that cannot be used (files
// missing, half-written, or not matching) leaves the old one in place. With an interval of 0 or less Watch returns at once.
//
// It compares what the files contain, not their times: two writes can share a time stamp, and a symbolic link can change on
// the way to a file that did not.
func (c *Certificate) Watch(ctx context.Context, every time.Duration) {
	if every <= 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.check()
		}
	}
}

// check is one look at the files.
func (c *Certificate) check() {
	switch changed, err := c.reload(); {
	case err != nil && err.Error() != c.failure:
		c.failure = err.Error()
		c.log.Error("new certificate not usable, the old one stays in use", "error", err)
	case err == nil:
		c.failure = ""
		if changed {
			c.announce()
			c.reminded = time.Time{}
		}
	}
	c.remind(time.Now())
}

// reload takes on the pair on disk if it differs from the current one.
func (c *Certificate) reload() (changed bool, err error) {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return false, fmt.Errorf("read certificate: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return false, fmt.Errorf("read private key: %w", err)
	}
	if bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("certificate %s with private key %s: %w", c.certFile, c.keyFile, err)
	}
	if err := checkChain(cert, pair.Certificate[1:]); err != nil {
		return false, fmt.Errorf("certificate %s: %w", c.certFile, err)
	}
	c.cert, c.key = cert, key
	c.current.Store(&pair)
	return true, nil
}

// checkChain finds what tls.X509KeyPair does not look at: broken certificates behind the first one.
func checkChain(text []byte, chain [][]byte) error {
	for _, der := range chain {
		if _, err := x509.ParseCertificate(der); err != nil {
			return fmt.Errorf("in its chain: %w", err)
		}
	}
	block, rest := pem.Decode(text)
	for block != nil {
		block, rest = pem.Decode(rest)
	}
	if bytes.Contains(rest, []byte("-----")) {
		return errTruncated
	}
	return nil
}

// announce logs that the current pair came into use, and what clients may dislike about it.
func (c *Certificate) announce() {
	pair := c.current.Load()
	c.log.Info("certificate loaded", "file", c.certFile, "subject", pair.Leaf.Subject.String(), "not_after", pair.Leaf.NotAfter)
	if len(pair.Certificate) == 1 && !bytes.Equal(pair.Leaf.RawIssuer, pair.Leaf.RawSubject) {
		// Browsers fetch the missing certificates, OBS calls it "invalid SSL certificate".
		c.log.Warn("certificate without chain, encoders may refuse it", "file", c.certFile, "advice", "no chain: use fullchain.pem")
	}
}

// remind warns once a day about a certificate that ends soon or has ended.
func (c *Certificate) remind(now time.Time) {
	end := c.current.Load().Leaf.NotAfter
	if now.Before(end.Add(-expiryNotice)) || !c.reminded.IsZero() && now.Before(c.reminded.Add(expiryReminder)) {
		return
	}
	c.reminded = now
	if now.Before(end) {
		c.log.Warn("certificate expires soon", "file", c.certFile, "not_after", end)
		return
	}
	c.log.Warn("certificate has expired", "file", c.certFile, "not_after", end)
}
