package media

import "fmt"

var (
	errTruncated = fmt.Errorf("%w: ends too early", ErrMalformed)
	errExpGolomb = fmt.Errorf("%w: Exp-Golomb code of more than 32 bits", ErrMalformed)
)

// maxExpGolombZeros keeps a run of zero bits from being taken for a number of any width.
const maxExpGolombZeros = 31

// bitReader reads bit fields, most significant bit first. After the first error all reads give zero, so that a
// parser can read a group of fields and check err once; a loop over a count that was read must check it first.
type bitReader struct {
	data []byte
	pos  int // in bits
	err  error
}

func (r *bitReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *bitReader) left() int {
	return 8*len(r.data) - r.pos
}

// skip passes over n bits.
func (r *bitReader) skip(n int) {
	if n > r.left() {
		r.fail(errTruncated)
	}
	if r.err == nil {
		r.pos += n
	}
}

// bits reads an unsigned number of up to 32 bits.
func (r *bitReader) bits(n int) uint32 {
	start := r.pos
	r.skip(n)
	if r.err != nil {
		return 0
	}
	var v uint32
	for i := start; i < r.pos; i++ {
		v = v<<1 | uint32(r.data[i/8]>>(7-i%8)&1)
	}
	return v
}

func (r *bitReader) flag() bool {
	return r.bits(1) == 1
}

// ue reads an unsigned Exp-Golomb code: H.264 section 9.1. The uvlc of AV1 is the same.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; r.err != nil || zeros > maxExpGolombZeros {
			r.fail(errExpGolomb)
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// se reads a signed Exp-Golomb code: H.264 section 9.1.1.
func (r *bitReader) se() int64 {
	v := int64(r.ue())
	if v%2 == 0 {
		return -v / 2
	}
	return (v + 1) / 2
}

// unescape removes the emulation prevention bytes of a NAL unit: each 00 00 03 stands for 00 00.
func unescape(nal []byte) []byte {
	out := make([]byte, 0, len(nal))
	zeros := 0
	for _, b := range nal {
		if zeros >= 2 && b == 3 {
			zeros = 0
			continue
		}
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}

// sized takes a block off b that begins with its size in two bytes.
func sized(b []byte) (block, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errTruncated
	}
	size := int(b[0])<<8 | int(b[1])
	if size > len(b)-2 {
		return nil, nil, errTruncated
	}
	return b[2 : 2+size], b[2+size:], nil
}
