package access

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// lists drives the parser's test and seeds the fuzz target.
var lists = []struct {
	text string
	want string // the canonical form, in the error case one piece of the message for each bad entry
	bad  bool
	in   string // space separated addresses that the list contains
	out  string // and does not contain
}{
	{text: "", want: "", out: "127.0.0.1 ::1 invalid"},
	{text: " \t", want: "", out: "127.0.0.1"},
	{text: "*", want: "*", in: "127.0.0.1 ::1 fe80::1%eth0 ::ffff:10.0.0.1 invalid"},
	{text: " 10.0.0.1 , * ", want: "*", in: "192.0.2.1 ::1"},
	{text: "127.0.0.1", want: "127.0.0.1", in: "127.0.0.1 ::ffff:127.0.0.1", out: "127.0.0.2 127.0.0.0 ::1 ::127.0.0.1 invalid"},
	{text: "127.0.0.1,10.0.0.0/8", want: "10.0.0.0/8,127.0.0.1", in: "127.0.0.1 10.0.0.0 10.255.255.255", out: "9.255.255.255 11.0.0.0"},
	{text: " 127.0.0.1 ,\t10.0.0.0/8 , ", want: "10.0.0.0/8,127.0.0.1", in: "127.0.0.1 10.1.2.3"},
	{text: "10.1.2.3/8", want: "10.0.0.0/8", in: "10.200.0.1"},
	{text: "10.1.2.3/8,10.1.2.3,10.0.0.0/16,10.0.0.0/8", want: "10.0.0.0/8", in: "10.1.2.3", out: "11.0.0.1"},
	{text: "10.0.0.0/16,10.0.0.0/30,10.2.0.0/16", want: "10.0.0.0/16,10.2.0.0/16", in: "10.0.255.1 10.2.0.0", out: "10.1.0.0"},
	{text: "0.0.0.0/0", want: "0.0.0.0/0", in: "0.0.0.0 255.255.255.255 ::ffff:1.2.3.4", out: "::1 :: invalid"},
	{text: "::/0", want: "::/0", in: ":: ::1 ffff::", out: "1.2.3.4 ::ffff:1.2.3.4"},
	{text: "::1", want: "::1", in: "::1", out: ":: ::2 0.0.0.1"},
	{text: "FD00:0::/8", want: "fd00::/8", in: "fd12::1", out: "fe00::1"},
	{text: "fe80::/10", want: "fe80::/10", in: "fe80::1%eth0 fe80::1"},
	{text: "::ffff:10.0.0.1", want: "10.0.0.1", in: "10.0.0.1 ::ffff:10.0.0.1 ::ffff:10.0.0.1%lo", out: "10.0.0.2"},
	{text: "::ffff:10.1.2.3/104", want: "10.0.0.0/8", in: "10.9.9.9 ::ffff:10.9.9.9", out: "11.0.0.0"},
	{text: "::ffff:0:0/96", want: "0.0.0.0/0", in: "1.2.3.4", out: "::1"},

	{text: ",", bad: true, want: "no entry"},
	{text: " , ,", bad: true, want: "no entry"},
	{text: "localhost", bad: true, want: `"localhost" is neither`},
	{text: "10.0.0.1;10.0.0.2", bad: true, want: `"10.0.0.1;10.0.0.2" is neither`},
	{text: "10.0.0.0/33,10.0.0.1,x\n,::/129", bad: true, want: `"10.0.0.0/33" is not|"x" is neither|"::/129" is not`},
	{text: "*,x", bad: true, want: `"x" is neither`},
	{text: "**", bad: true, want: `"**"`},
	{text: "10.0.0.0/255.0.0.0", bad: true, want: `"10.0.0.0/255.0.0.0" is not a subnet`},
	{text: "10.0.0.0/08", bad: true, want: `"10.0.0.0/08"`},
	{text: "10.0.0.0/-1", bad: true, want: `"10.0.0.0/-1"`},
	{text: "10.0.0.0/", bad: true, want: `"10.0.0.0/"`},
	{text: "010.0.0.1", bad: true, want: `"010.0.0.1"`},
	{text: "10.0.0", bad: true, want: `"10.0.0"`},
	{text: "[::1]", bad: true, want: `"[::1]"`},
	{text: "fe80::1%eth0,fe80::%1/64", bad: true, want: `"fe80::1%eth0" has a zone|"fe80::%1/64" has a zone`},
	{text: "::ffff:10.0.0.0/95", bad: true, want: `"::ffff:10.0.0.0/95" is an IPv4-mapped subnet`},
	{text: "10.0.0.1\x00", bad: true, want: `"10.0.0.1\x00"`},
}

func addr(text string) netip.Addr {
	a, _ := netip.ParseAddr(text) // "invalid" is the zero Addr
	return a
}

func TestListHoldsExactlyItsAddresses(t *testing.T) {
	for _, test := range lists {
		if test.bad {
			continue
		}
		list, err := ParseList(test.text)
		if err != nil {
			t.Errorf("ParseList(%q): %v", test.text, err)
			continue
		}
		if got := list.String(); got != test.want {
			t.Errorf("ParseList(%q).String() = %q, want %q", test.text, got, test.want)
		}
		if got := list.Empty(); got != (test.want == "") {
			t.Errorf("ParseList(%q).Empty() = %v", test.text, got)
		}
		for _, in := range strings.Fields(test.in) {
			if !list.Contains(addr(in)) {
				t.Errorf("%q does not contain %s", test.text, in)
			}
		}
		for _, out := range strings.Fields(test.out) {
			if list.Contains(addr(out)) {
				t.Errorf("%q contains %s", test.text, out)
			}
		}
	}
}

func TestListErrorNamesEachBadEntry(t *testing.T) {
	for _, test := range lists {
		if !test.bad {
			continue
		}
		list, err := ParseList(test.text)
		if !errors.Is(err, ErrList) {
			t.Errorf("ParseList(%q): error %v, want ErrList", test.text, err)
			continue
		}
		if !list.Empty() {
			t.Errorf("ParseList(%q) failed and yet contains %q", test.text, list)
		}
		for want := range strings.SplitSeq(test.want, "|") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("ParseList(%q): error %q does not say %q", test.text, err, want)
			}
		}
		if good := `"10.0.0.1"`; strings.Contains(err.Error(), good) {
			t.Errorf("ParseList(%q): error %q names the good entry %s", test.text, err, good)
		}
	}
}

func TestZeroListContainsNobody(t *testing.T) {
	var list List
	if !list.Empty() || list.Contains(addr("127.0.0.1")) || list.Contains(netip.Addr{}) {
		t.Error("the zero List contains somebody")
	}
}

// oracle is the plainest reading of a list: it asks netip about every entry in turn.
func oracle(text string, a netip.Addr) (contains, ok bool) {
	ok = strings.TrimSpace(text) == ""
	for _, entry := range strings.Split(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		ok = true
		if entry == "*" {
			contains = true
			continue
		}
		p, err := netip.ParsePrefix(entry)
		if err != nil {
			single, err := netip.ParseAddr(entry)
			if err != nil || single.Zone() != "" {
				return false, false
			}
			p = netip.PrefixFrom(single, single.BitLen())
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return false, false
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Contains(a.Unmap().WithZone("")) {
			contains = true
		}
	}
	return contains, ok
}

func FuzzAddressList(f *testing.F) {
	for _, test := range lists {
		for _, candidate := range strings.Fields(test.in + " " + test.out) {
			f.Add(test.text, candidate)
		}
		f.Add(test.text, "10.0.0.1")
	}
	f.Fuzz(func(t *testing.T, text, candidate string) {
		a := addr(candidate)
		list, err := ParseList(text)
		contains, ok := oracle(text, a)
		if (err == nil) != ok {
			t.Fatalf("ParseList(%q): error %v, netip says ok = %v", text, err, ok)
		}
		if err != nil {
			return
		}
		if got := list.Contains(a); got != contains {
			t.Fatalf("%q contains %v: %v, netip says %v", text, a, got, contains)
		}
		again, err := ParseList(list.String())
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%q printed as %q reads as %q (%v)", text, list, again, err)
		}
	})
}

// manyEntries returns a list of n single addresses, each second one of 10.0.0.0 and up.
func manyEntries(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "10.%d.%d.%d,", i>>15, i>>7&255, i<<1&255)
	}
	return text.String()
}

func TestListOfTenThousandEntries(t *testing.T) {
	list, err := ParseList(manyEntries(10_000))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if got, want := list.Contains(a), i%2 == 0; got != want {
			t.Fatalf("contains %v: %v, want %v", a, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { list.Contains(addr("10.0.78.32")) }); n != 0 {
		t.Errorf("Contains allocates %v times", n)
	}
}

func BenchmarkListContains(b *testing.B) {
	for _, n := range []int{1, 64, 10_000} {
		list, err := ParseList(manyEntries(n))
		if err != nil {
			b.Fatal(err)
		}
		a := addr("::ffff:10.0.0.0")
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !list.Contains(a) {
					b.Fatal("the address is missing")
				}
			}
		})
	}
}
