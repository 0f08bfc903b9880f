package coordinator

import "strings"

// The methods of frames.
const (
	methodRequest   = "PUBLISH-REQUEST"
	methodEnd       = "PUBLISH-END"
	methodHeartbeat = "HEARTBEAT"
	methodAccept    = "PUBLISH-ACCEPT"
	methodDeny      = "PUBLISH-DENY"
	methodKill      = "STREAM-KILL"
	methodError     = "ERROR"
)

// The names of fields. Coordinators spell them in more than one way, so they
// are compared without case.
const (
	fieldRequest = "Request-ID"
	fieldChannel = "Stream-Channel"
	fieldKey     = "Stream-Key"
	fieldStream  = "Stream-ID"
	fieldUserIP  = "User-IP"
)

// frame is one message.
type frame struct {
	method string
	fields []field
}

// field is one line of a frame.
type field struct{ name, value string }

// parseFrame reads a message. It takes any text: lines that are no fields are
// left out, and an empty line ends the fields. Lines may end in CR LF.
func parseFrame(text string) frame {
	method, rest, _ := strings.Cut(text, "\n")
	f := frame{method: strings.TrimSpace(method)}
	for line := range strings.Lines(rest) {
		if strings.TrimSpace(line) == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if ok {
			f.fields = append(f.fields, field{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return f
}

// String returns the frame as it goes over the wire. Names and values must not
// contain line breaks.
func (f frame) String() string {
	var text strings.Builder
	text.WriteString(f.method)
	text.WriteByte('\n')
	for _, field := range f.fields {
		text.WriteString(field.name)
		text.WriteString(": ")
		text.WriteString(field.value)
		text.WriteByte('\n')
	}
	return text.String()
}

// get returns the value of the first field of that name, or "".
func (f frame) get(name string) string {
	for _, field := range f.fields {
		if strings.EqualFold(field.name, name) {
			return field.value
		}
	}
	return ""
}
