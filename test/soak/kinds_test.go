package soak

import "math/rand/v2"

// kind is a sort of visitor.
type kind struct {
	name string
	// weight is how often it comes, beside the others.
	weight int
	// come plays one. An error is something that may not happen.
	come func(v *visit) (outcome string, err error)
}

// kinds are all that come. Those that hold a connection for seconds are rare.
var kinds = []*kind{
	{"player", 22, func(v *visit) (string, error) { return v.watch(false) }},
	{"player by TLS", 8, func(v *visit) (string, error) { return v.watch(true) }},
	{"player of a channel that comes and goes", 12, (*visit).watchChurn},
	{"player that waits in vain", 4, (*visit).wait},
	{"player with a wrong key", 3, (*visit).guess},
	{"publisher", 18, func(v *visit) (string, error) { return v.encode(false) }},
	{"publisher by TLS", 4, func(v *visit) (string, error) { return v.encode(true) }},
	{"publisher that loses its network and returns", 3, (*visit).comeBack},
	{"publisher that is taken over", 2, (*visit).takeOver},
	{"session cut at a random byte", 14, (*visit).cut},
	{"player that stops reading", 1, (*visit).stall},
	{"handshake by the byte", 2, (*visit).trickle},
	{"newcomer that says nothing more", 1, (*visit).idle},
	{"foreign protocol", 6, (*visit).junk},
	{"TLS handshake cut short", 4, (*visit).cutTLS},
	{"chunk bomb", 6, (*visit).bomb},
}

// pick returns a kind by its weight.
func pick(random *rand.Rand) *kind {
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	n := random.IntN(all)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	return nil
}
