package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// A viewer joins at the bar in the messages.
var joins = []struct {
	name  string
	start Start
	log   string
	want  string
}{
	{
		name: "late joiner gets metadata, headers and the newest group, nothing older",
		log:  "meta=X ah0=B vh0=A v0!@0 a0@10 v0@40 v0!@80 a0@90 v0@120 | a0@130 v0@160",
		want: "meta=X@80 vh0=A@80 ah0=B@80 v0!@80 a0@90 v0@120 a0@130 v0@160",
	},
	{
		name: "headers go track by track, video first, companions last",
		log:  "ah1=D vh1=C cc0=E ah0=B hdr0=F xh0=A meta=X x0!@5 |",
		want: "meta=X@5 xh0=A@5 hdr0=F@5 ah0=B@5 cc0=E@5 vh1=C@5 ah1=D@5 x0!@5",
	},
	{
		name: "joiner of an empty log gets everything",
		log:  "| meta=X vh0=A ah0=B a0 v0!@40 v0@80",
		want: "meta=X vh0=A ah0=B a0 v0!@40 v0@80",
	},
	{
		name: "joiner before the first keyframe gets audio at once and video from the keyframe",
		log:  "vh0=A ah0=B v0@10 a0@10 | a0@20 v0@30 v0!@40 v0@50",
		want: "vh0=A@10 ah0=B@10 a0@20 v0!@40 v0@50",
	},
	{
		name: "nobody gets frames in front of the first keyframe",
		log:  "| v0@10 v0@20 v0!@40",
		want: "v0!@40",
	},
	{
		name: "stream of headers only",
		log:  "vh0=A ah0=B | ",
		want: "vh0=A ah0=B",
	},
	{
		name: "audio only starts at the tail",
		log:  "ah0=B a0@10 a0@20 | a0@30",
		want: "ah0=B@20 a0@30",
	},
	{
		name: "video only",
		log:  "vh0=A v0!@10 v0@20 | v0@30",
		want: "vh0=A@10 v0!@10 v0@20 v0@30",
	},
	{
		name: "header is not a keyframe",
		log:  "vh0=A v0!@10 v0@20 vh0=B@30 | v0@40 v0!@50",
		want: "vh0=B@30 v0!@50",
	},
	{
		name: "audio header behind the first keyframe goes to the front",
		log:  "vh0=A v0!@10 ah0=B@20 a0@20 |",
		want: "vh0=A@10 ah0=B@10 v0!@10 ah0=B@20 a0@20",
	},
	{
		name: "new audio header within a group: the old one, the group, the new one in its place",
		log:  "vh0=A ah0=B v0!@10 a0@20 ah0=C@30 a0@40 | a0@50",
		want: "vh0=A@10 ah0=B@10 v0!@10 a0@20 ah0=C@30 a0@40 a0@50",
	},
	{
		name: "new audio header holds from the next keyframe on",
		log:  "vh0=A ah0=B v0!@10 ah0=C@30 v0!@40 |",
		want: "vh0=A@40 ah0=C@40 v0!@40",
	},
	{
		name: "metadata behind a new audio header does not bring that to the front",
		log:  "vh0=A ah0=B v0!@10 ah0=C@30 meta=X@40 |",
		want: "meta=X@10 vh0=A@10 ah0=B@10 v0!@10 ah0=C@30 meta=X@40",
	},
	{
		name:  "joiner at the live edge gets the newest headers",
		start: AtLive,
		log:   "vh0=A ah0=B v0!@10 a0@20 ah0=C@30 a0@40 | a0@50 v0@60 v0!@70",
		want:  "vh0=A@40 ah0=C@40 a0@50 v0!@70",
	},
	{
		name: "new audio header without a group",
		log:  "ah0=B a0@10 ah0=C@20 | a0@30",
		want: "ah0=C@20 a0@30",
	},
	{
		name: "header repeated leaves the group",
		log:  "vh0=A ah0=B v0!@10 vh0=A@20 ah0=B@20 v0@30 |",
		want: "vh0=A@10 ah0=B@10 v0!@10 vh0=A@20 ah0=B@20 v0@30",
	},
	{
		name: "metadata within a group",
		log:  "meta=X vh0=A v0!@10 meta=Y@20 v0@30 |",
		want: "meta=Y@10 vh0=A@10 v0!@10 meta=Y@20 v0@30",
	},
	{
		name: "metadata is stripped of what addresses the server",
		log:  "setmeta=X | setmeta=Y@10",
		want: "meta=X meta=Y@10",
	},
	{
		name: "metadata in AMF3",
		log:  "meta3=X | meta3=Y@10",
		want: "meta=X meta=Y@10",
	},
	{
		name: "metadata taken back",
		log:  "meta=X vh0=A v0!@10 meta=Y@20 clear@30 | clear@40 v0@50",
		want: "vh0=A@10 v0!@10 meta=Y@20 v0@50",
	},
	{
		name: "other data taken back",
		log:  "meta=X clear2 | clear2",
		want: "meta=X",
	},
	{
		name: "data for the server and data without a name go nowhere",
		log:  "| access junk junk3 setnone setjunk clear command a0",
		want: "a0",
	},
	{
		name: "timed text is forwarded and not kept",
		log:  "text=X@10 | text=Y@20",
		want: "text=Y@20",
	},
	{
		name: "end of track 0 changes nothing, FFmpeg sends it for any track",
		log:  "vh0=A vh1=B v0!@10 ve0@20 | v0@30",
		want: "vh0=A@10 vh1=B@10 v0!@10 ve0@20 v0@30",
	},
	{
		name: "end of track 1 drops its headers, for the live edge and the next group",
		log:  "vh0=A vh1=B ah0=C ah1=D ve1 ae1 ve1 | v0!@10",
		want: "vh0=A ah0=C v0!@10",
	},
	{
		name: "within a group the headers of a track that ended stay",
		log:  "vh0=A vh1=B v0!@10 v1!@10 ve1@20 vh1=C@30 |",
		want: "vh0=A@10 vh1=B@10 v0!@10 v1!@10 ve1@20 vh1=C@30",
	},
	{
		name: "headers of several tracks in one message are split, for everyone",
		log:  "vhh0=A | vhh0=B@10",
		want: "vh0=A vh1=A vh0=B@10 vh1=B@10",
	},
	{
		name: "ends of several tracks in one message",
		log:  "vhh0=A vee0 | vee0",
		want: "vh0=A ve0 ve1",
	},
	{
		name: "header that cannot be split is forwarded and not kept",
		log:  "opaque2 | opaque2",
		want: "opaque2",
	},
	{
		name: "keyframe of several tracks starts a group for the lowest",
		log:  "vh0=A vh1=B v0!@10 vv0!@20 vv0@30 |",
		want: "vh0=A@20 vh1=B@20 vv0!@20 vv0@30",
	},
	{
		name: "header of track 1 does not replace that of track 0",
		log:  "vh0=A ah0=B vh1=C ah1=D |",
		want: "vh0=A ah0=B vh1=C ah1=D",
	},
	{
		name: "groups begin at keyframes of track 0",
		log:  "v0!@10 v1!@20 v1@30 |",
		want: "v0!@10 v1!@20 v1@30",
	},
	{
		name: "groups begin at the lowest track where there is no track 0",
		log:  "v2!@10 v3!@20 v2@30 v2!@40 v3!@50 |",
		want: "v2!@40 v3!@50",
	},
	{
		name: "lower track takes over",
		log:  "v2!@10 v1!@20 v2!@30 |",
		want: "v1!@20 v2!@30",
	},
	{
		name: "track that has a header only does not keep the others from starting",
		log:  "vh0=A vh1=B v1!@20 v1@30 |",
		want: "vh0=A@20 vh1=B@20 v1!@20 v1@30",
	},
	{
		name: "new header of another track leaves the group",
		log:  "vh0=A vh1=B v0!@10 v1!@10 vh1=C@20 |",
		want: "vh0=A@10 vh1=B@10 v0!@10 v1!@10 vh1=C@20",
	},
	{
		name: "other codec: the group is given up",
		log:  "vh0=A v0!@10 v0@20 xh0=A@30 | x0@40 x0!@50 x0@60",
		want: "xh0=A@30 x0!@50 x0@60",
	},
	{
		name: "header for a stream that had none: the group is given up",
		log:  "v0!@10 v0@20 xh0=A@30 | x0!@50",
		want: "xh0=A@30 x0!@50",
	},
	{
		name: "channel configuration within legacy AAC",
		log:  "ah0=A cc0=B a0@10 | a0@20",
		want: "ah0=A@10 cc0=B@10 a0@20",
	},
	{
		name: "channel configuration goes with the header it completes",
		log:  "ah0=A cc0=B a0@10 ah0=C@20 | a0@30",
		want: "ah0=C@20 a0@30",
	},
	{
		name: "channel configuration outlives a new video header",
		log:  "vh0=A cc0=B vh0=C |",
		want: "vh0=C cc0=B",
	},
	{
		name: "colour information is kept, also behind a new header",
		log:  "hdr0=H xh0=A x0!@10 xh0=B@20 |",
		want: "xh0=B@20 hdr0=H@20",
	},
	{
		name: "colour information taken back",
		log:  "xh0=A hdr0=H hdr0 | x0!@10",
		want: "xh0=A x0!@10",
	},
	{
		name: "colour information taken back within a group",
		log:  "xh0=A hdr0=H x0!@10 hdr0@20 |",
		want: "xh0=A@10 hdr0=H@10 x0!@10 hdr0@20",
	},
	{
		name: "silence, seek markers and opaque video are forwarded and not kept",
		log:  "silence seek opaque opaque3 | silence@10 seek@10 opaque@10 v0@15 v0!@20",
		want: "silence@10 seek@10 opaque@10 v0!@20",
	},
	{
		name:  "joiner at the live edge waits for a keyframe",
		start: AtLive,
		log:   "meta=X vh0=A ah0=B v0!@10 a0@20 v0@30 | a0@40 v0@50 v0!@60 v0@70",
		want:  "meta=X@30 vh0=A@30 ah0=B@30 a0@40 v0!@60 v0@70",
	},
}

func TestNewcomersGet(t *testing.T) {
	for _, test := range joins {
		t.Run(test.name, func(t *testing.T) {
			before, after, _ := strings.Cut(test.log, "|")
			l := logOf(before)
			c := l.Cursor(test.start)
			appendAll(l, after)
			if got := drain(c); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestViewersPresentFromTheStartGetEveryMessageInOrder(t *testing.T) {
	l := logOf("")
	c := l.Cursor(AtGroup)
	const all = "meta=X vh0=A ah0=B v0!@10 a0@20 ah0=C@30 vh0=D@40 v0!@50 hdr0=H@60 ve0@70 silence@80"
	appendAll(l, all)
	l.end()
	if got := drain(c); got != all+" EOF" {
		t.Errorf("got  %s\nwant %s EOF", got, all)
	}
}

func TestHeadersOfTooManyTracksAreForwardedAndNotKept(t *testing.T) {
	conformance.Covers(t, 199)
	l := logOf("")
	for track := range 256 {
		m := message("vh1=A")
		m.Payload[6] = byte(track)
		l.Append(m, time.Duration(track)*time.Second/churnRate)
	}
	if got := len(l.Cursor(AtGroup).headers); got != maxTracks {
		t.Errorf("%d headers kept, want %d", got, maxTracks)
	}
	if got := l.tail.Load().sequence; got != 256 {
		t.Errorf("%d messages forwarded, want all", got)
	}
}

func TestHeadersAreKeptWithinTheirBound(t *testing.T) {
	big := strings.Repeat("M", maxHeaderBytes)
	l := logOf("vh0=A ah0=B ah0=" + big + " vh1=C")
	if got := drain(l.Cursor(AtGroup)); got != "vh0=A vh1=C" {
		t.Errorf("got %.80s, want no audio header: the old one does not hold any more", got)
	}
	half := big[:maxHeaderBytes/2]
	l = logOf("vh0=" + half + " ah0=" + half + " meta=X")
	total := 0
	for _, h := range l.headers {
		total += len(h.payload)
	}
	if total > maxHeaderBytes || !l.headers.has(header{kind: rtmp.TypeData}) {
		t.Errorf("%d bytes kept, want at most %d with the metadata", total, maxHeaderBytes)
	}
}
