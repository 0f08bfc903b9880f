package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errPath is wrapped by the errors of parsePath. Their texts go to the client.
var errPath = errors.New("the URL must be rtmp://HOST/CHANNEL/KEY")

// path is what a client asked for.
type path struct {
	channel, key string
	wishes       wishes
}

// parsePath joins the app of connect and the name of publish or play, since
// clients cut the same URL at different places: FFmpeg and GStreamer at the
// last slash or the first, OBS where its two input fields meet. A query behind
// either part is not part of the path; slashes at the ends and doubled ones
// mean nothing. RootEncoder may cut right behind the question mark.
func parsePath(app, name string, maxLength int) (path, error) {
	app, appQuery, cut := strings.Cut(app, "?")
	if cut && appQuery == "" && queryOnly(name) {
		name = "?" + name
	}
	name, nameQuery, _ := strings.Cut(name, "?")
	whole := app + "/" + name
	switch {
	case strings.Trim(name, "/") == "":
		whole, appQuery = keyBehindQuery(whole, appQuery)
	case strings.Trim(app, "/") == "":
		whole, nameQuery = keyBehindQuery(whole, nameQuery)
	}
	parts := splitPath(whole)
	if len(parts) != 2 {
		return path{}, fmt.Errorf("%w: this one has %d of the two parts", errPath, len(parts))
	}
	p := path{channel: parts[0], key: parts[1]}
	if err := checkID("channel", p.channel, maxLength); err != nil {
		return path{}, err
	}
	if err := checkID("key", p.key, maxLength); err != nil {
		return path{}, err
	}
	for arg := range strings.SplitSeq(appQuery+"&"+nameQuery, "&") {
		p.wishes.read(arg)
	}
	return p, nil
}

// keyBehindQuery puts a key that stands behind the query where it belongs, if the
// path has none: live?token=x/key, an old form, as it is when no client cuts it.
func keyBehindQuery(whole, query string) (path, rest string) {
	query = strings.TrimRight(query, "/")
	slash := strings.LastIndexByte(query, '/')
	if slash < 0 || len(splitPath(whole)) != 1 {
		return whole, query
	}
	return whole + query[slash:], query[:slash]
}

// defaultInstance stands between channel and key in URLs for Flash Media Server
// and Wowza, whose applications have instances.
const defaultInstance = "_definst_"

func splitPath(whole string) []string {
	parts := strings.FieldsFunc(whole, func(r rune) bool { return r == '/' })
	if len(parts) == 3 && parts[1] == defaultInstance {
		return slices.Delete(parts, 1, 2)
	}
	return parts
}

// queryOnly reports whether a name without its question mark can be nothing but
// a query: no key has these characters.
func queryOnly(name string) bool {
	name, _, _ = strings.Cut(name, "?")
	return strings.ContainsAny(name, "=&")
}

func checkID(what, id string, maxLength int) error {
	if len(id) > maxLength {
		return fmt.Errorf("%w: the %s is longer than %d characters", errPath, what, maxLength)
	}
	for i := range len(id) {
		if !idCharacter(id[i]) {
			return fmt.Errorf("%w: the %s may hold only letters, digits, dashes and underscores", errPath, what)
		}
	}
	return nil
}

func idCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
