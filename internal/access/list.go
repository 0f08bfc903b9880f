package access

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrList is wrapped by each error of [ParseList].
var ErrList = errors.New("not a list of addresses")

// mappedBits is the length of the prefix ::ffff:0:0/96 that holds the IPv4-mapped addresses (RFC 4291 section 2.5.5.2).
const mappedBits = 96

// everyone is the entry that stands for each address there is.
const everyone = "*"

// List is a parsed set of addresses and subnets, IPv4 and IPv6, or everyone. The zero List contains nobody.
type List struct {
	all bool
	// prefixes are masked, sorted and disjoint, so that the only one that can hold an address is the last one that
	// starts at or before it.
	prefixes []netip.Prefix
}

// ParseList reads a list such as "127.0.0.1, 10.0.0.0/8, fd00::/8", or "*" for everyone. Spaces around an entry and empty
// entries are ignored, and bits of a subnet behind its prefix are cleared. A blank text is the empty List. The error names
// every entry that cannot be used; a text of nothing but commas is an error too, because whoever wrote it meant
// someone, and many settings take an empty list for everyone.
func ParseList(text string) (List, error) {
	if strings.TrimSpace(text) == "" {
		return List{}, nil
	}
	var list List
	var bad []string
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		switch entry {
		case "":
		case everyone:
			list.all = true
		default:
			prefix, reason := parseEntry(entry)
			if reason != "" {
				bad = append(bad, fmt.Sprintf("%q %s", entry, reason))
				continue
			}
			list.prefixes = append(list.prefixes, prefix)
		}
	}
	switch {
	case bad != nil:
		return List{}, fmt.Errorf("%w: %s", ErrList, strings.Join(bad, ", "))
	case list.all:
		return List{all: true}, nil
	case list.prefixes == nil:
		return List{}, fmt.Errorf("%w: no entry between the commas", ErrList)
	}
	list.prefixes = disjoint(list.prefixes)
	return list, nil
}

// parseEntry reads one address or subnet; reason says why it cannot be used, and is empty when it can.
func parseEntry(entry string) (prefix netip.Prefix, reason string) {
	if strings.Contains(entry, "%") {
		return netip.Prefix{}, "has a zone"
	}
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil {
			return netip.Prefix{}, "is neither an address nor a subnet"
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), ""
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, "is not a subnet"
	}
	if addr := prefix.Addr(); addr.Is4In6() {
		// A shorter prefix reaches beyond the mapped addresses: which IPv4 addresses it means is anyone's guess.
		if prefix.Bits() < mappedBits {
			return netip.Prefix{}, "is an IPv4-mapped subnet shorter than /96"
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-mappedBits)
	}
	return prefix.Masked(), ""
}

// disjoint sorts masked prefixes and drops those that lie within another one. Two prefixes either nest or do not touch,
// and the sort puts the larger one first, so that comparing with the last one kept is enough.
func disjoint(prefixes []netip.Prefix) []netip.Prefix {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	kept := prefixes[:0]
	for _, prefix := range prefixes {
		if len(kept) == 0 || !kept[len(kept)-1].Contains(prefix.Addr()) {
			kept = append(kept, prefix)
		}
	}
	return slices.Clip(kept)
}

// Contains reports whether a is on the list. It takes logarithmic time and allocates nothing. The invalid zero Addr, which
// a connection without an IP address has, is on no list but that of everyone.
func (l List) Contains(a netip.Addr) bool {
	if l.all {
		return true
	}
	a = a.Unmap().WithZone("")
	i, startsAt := slices.BinarySearchFunc(l.prefixes, a, func(p netip.Prefix, a netip.Addr) int {
		return p.Addr().Compare(a)
	})
	if !startsAt {
		i-- // the search stopped at the first prefix behind a
	}
	return i >= 0 && l.prefixes[i].Contains(a)
}

// Empty reports whether the list contains nobody.
func (l List) Empty() bool { return !l.all && len(l.prefixes) == 0 }

// String returns the list in the form that [ParseList] reads, sorted and without entries that others cover.
func (l List) String() string {
	if l.all {
		return everyone
	}
	entries := make([]string, len(l.prefixes))
	for i, prefix := range l.prefixes {
		if entries[i] = prefix.String(); prefix.IsSingleIP() {
			entries[i] = prefix.Addr().String()
		}
	}
	return strings.Join(entries, ",")
}
