package coordinator

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// frames drives parsing and formatting, and seeds the fuzz target.
var frames = []struct {
	name, text string
	want       frame
	canonical  string // empty if text is
}{
	{
		name: "request",
		text: "PUBLISH-REQUEST\nRequest-ID: R1\nStream-Channel: ch\nStream-Key: key\nUser-IP: 192.0.2.1\n",
		want: (&request{id: "R1", Request: access.Request{Channel: "ch", Key: "key", Client: netip.MustParseAddr("::ffff:192.0.2.1")}}).frame(),
	},
	{
		name: "end",
		text: "PUBLISH-END\nStream-Channel: ch\nStream-ID: s1\n",
		want: end{"ch", "s1"}.frame(),
	},
	{name: "heartbeat", text: "HEARTBEAT\n", want: frame{method: methodHeartbeat}},
	{name: "without line break", text: "HEARTBEAT", want: frame{method: methodHeartbeat}, canonical: "HEARTBEAT\n"},
	{
		name:      "CR LF and no spaces",
		text:      "PUBLISH-DENY\r\nrequest-id:R1\r\n\r\nbody: ignored\r\n",
		want:      frame{"PUBLISH-DENY", []field{{"request-id", "R1"}}},
		canonical: "PUBLISH-DENY\nrequest-id: R1\n",
	},
	{
		name:      "lines that are no fields",
		text:      " ERROR \nno colon\n: no name\nEmpty:\n a : b:c \n",
		want:      frame{"ERROR", []field{{"", "no name"}, {"Empty", ""}, {"a", "b:c"}}},
		canonical: "ERROR\n: no name\nEmpty: \na: b:c\n",
	},
	{name: "nothing", text: "", want: frame{}, canonical: "\n"},
	{name: "no method", text: "\nA: b\n", want: frame{"", []field{{"A", "b"}}}},
	{name: "not UTF-8", text: "\xff\n\xfe: \xfd\n", want: frame{"\xff", []field{{"\xfe", "\xfd"}}}},
}

func TestFrames(t *testing.T) {
	for _, test := range frames {
		t.Run(test.name, func(t *testing.T) {
			if got := parseFrame(test.text); !reflect.DeepEqual(got, test.want) {
				t.Errorf("parsed %q as %q", test.text, got)
			}
			want := test.canonical
			if want == "" {
				want = test.text
			}
			if got := test.want.String(); got != want {
				t.Errorf("formatted as %q, want %q", got, want)
			}
		})
	}
}

func TestFieldNamesHaveNoCase(t *testing.T) {
	f := parseFrame("PUBLISH-ACCEPT\nREQUEST-id: R1\nStream-Id: s1\nstream-id: s2\n")
	if f.get(fieldRequest) != "R1" || f.get(fieldStream) != "s1" || f.get(fieldKey) != "" {
		t.Errorf("%q", f)
	}
}

func FuzzFrame(f *testing.F) {
	for _, test := range frames {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first := parseFrame(text)
		for _, field := range first.fields {
			if strings.Contains(field.name+field.value, "\n") {
				t.Fatalf("line break in %q", field)
			}
		}
		if len(first.fields) > strings.Count(text, "\n") {
			t.Fatalf("%d fields from %q", len(first.fields), text)
		}
		if second := parseFrame(first.String()); !reflect.DeepEqual(first, second) {
			t.Fatalf("%q parsed as %q, formatted and parsed again as %q", text, first, second)
		}
	})
}
