package config

import (
	"errors"
	"fmt"
)

// unsupported are the settings that the server is known for and this version does not have. One that asks for something must not
// pass in silence: who sets CALLBACK_URL relies on each publisher being checked. The others only refine those and do
// nothing alone.
//
// A setting leaves this table for the main one together with the feature it belongs to.
var unsupported = []struct {
	name   string
	asks   func(value string) (bool, error) // of a value that is not blank; nil if the setting never asks for anything
	effect string                           // what would be missing
}{
	{name: "CALLBACK_URL", asks: always, effect: "publishers would not be checked"},
	{name: "JWT_SECRET"},
	{name: "CUSTOM_JWT_SUBJECT"},

	{name: "REDIS_USE", asks: parseToggle, effect: "commands would not arrive"},
	{name: "REDIS_HOST"},
	{name: "REDIS_PORT"},
	{name: "REDIS_PASSWORD"},
	{name: "REDIS_CHANNEL"},
	{name: "REDIS_TLS"},

	{name: "SSL_CERT", asks: always, effect: "there would be no RTMPS"},
	{name: "SSL_KEY", asks: always, effect: "there would be no RTMPS"},
	{name: "SSL_PORT"},
	{name: "SSL_CHECK_RELOAD_SECONDS"},
}

func always(string) (bool, error) { return true, nil }

// checkUnsupported returns an error that joins one for each setting that asks for what this version does not have. No value
// is quoted but that of a toggle: a URL may carry a password.
func checkUnsupported(lookup Lookup) error {
	var mistakes []error
	for _, u := range unsupported {
		value := trimmed(lookup, u.name)
		if value == "" || u.asks == nil {
			continue
		}
		switch asked, err := u.asks(value); {
		case err != nil:
			mistakes = append(mistakes, fmt.Errorf("%w: %s=%q: %w, expected %s", ErrValue, u.name, value, err, expectedToggle))
		case asked:
			mistakes = append(mistakes, fmt.Errorf("%w: %s is set, but %s; expected it to be unset", ErrUnsupported, u.name, u.effect))
		}
	}
	return errors.Join(mistakes...)
}
