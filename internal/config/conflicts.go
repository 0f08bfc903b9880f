package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// conflicts returns an error that joins one for each pair of settings that cannot stand together, or not alone.
func (s Settings) conflicts(lookup Lookup) error {
	given := func(name string) bool { return trimmed(lookup, name) != "" }
	var mistakes []error
	check := func(wrong bool, text string) {
		if wrong {
			mistakes = append(mistakes, fmt.Errorf("%w: %s", ErrValue, text))
		}
	}
	check(given("CALLBACK_URL") && !given("JWT_SECRET") && !s.Control.Use,
		"CALLBACK_URL is set and JWT_SECRET is not: expected both, since an unsigned callback proves nothing")
	check(given("SSL_CERT") != given("SSL_KEY"), "SSL_CERT and SSL_KEY: expected both or neither")
	check(s.TLS.Enabled() && s.TLS.Port == s.RTMPPort && s.TLS.Port != 0, "SSL_PORT and RTMP_PORT: expected different ports")
	check(s.HTTP.SecurePort != 0 && !s.TLS.Enabled(), "HTTPS_PORT is set and SSL_CERT and SSL_KEY are not: expected all three")
	check(s.portsMeet(), "HTTP_PORT and HTTPS_PORT: expected ports that no other setting has")
	check(s.Control.Use && !given("CONTROL_BASE_URL"), "CONTROL_USE is set and CONTROL_BASE_URL is not: expected both")
	check(s.Control.Use && !given("CONTROL_SECRET"), "CONTROL_USE is set and CONTROL_SECRET is not: expected both")
	check(!isLoopback(s.Admin.Address) && !given("ADMIN_TOKEN"),
		"ADMIN_ADDRESS can be reached from other machines and ADMIN_TOKEN is not set: expected both, or a loopback address")
	return errors.Join(mistakes...)
}

// isLoopback reports whether only this machine reaches an address, as it does none at all.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// portsMeet reports whether a port of HTTP is taken by another setting.
func (s Settings) portsMeet() bool {
	taken := []int{s.RTMPPort}
	if s.TLS.Enabled() {
		taken = append(taken, s.TLS.Port)
	}
	for _, port := range []int{s.HTTP.Port, s.HTTP.SecurePort} {
		if port != 0 && slices.Contains(taken, port) {
			return true
		}
		taken = append(taken, port)
	}
	return false
}

// goodSecret is the length from which a secret for HS256 is as strong as the signature (RFC 7518 section 3.2).
const goodSecret = 32

// Warnings returns what is allowed but hardly meant, for the log.
func (s Settings) Warnings() []string {
	var warnings []string
	warn := func(doubtful bool, text string) {
		if doubtful {
			warnings = append(warnings, text)
		}
	}
	warn(s.Control.Use && len(s.Control.Secret) < goodSecret, "CONTROL_SECRET is shorter than 32 bytes and could be guessed")
	warn(s.Control.Use && s.Callback.URL != "", "CONTROL_USE takes the place of CALLBACK_URL, which is not called")
	warn(s.StateDir != "" && (s.Callback.URL == "" || s.Control.Use), "STATE_DIR has no effect without CALLBACK_URL")
	warn(s.Admin.Token != "" && s.Admin.Address == "", "ADMIN_TOKEN has no effect without ADMIN_ADDRESS")
	warn(!isLoopback(s.Admin.Address), "ADMIN_ADDRESS is served without encryption: keep it in a network that you trust")
	return warnings
}
