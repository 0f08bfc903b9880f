package amf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Limits bound what one input may describe. The zero value allows nothing.
type Limits struct {
	// Depth is how many objects, arrays and switches to AMF3 may enclose each other. A level costs the sender three
	// bytes, and a Go stack overflow ends the process.
	Depth int
	// Values is how many values, containers and their items included, all Decode calls of one [Decoder] may return,
	// every reference counted as the copy that it stands for. A null is one byte of input and 16 of memory or more.
	// The items of numeric vectors and byte arrays are not counted, as they are no larger in memory than on the wire.
	Values int
}

// CommandLimits suit an RTMP command: far more than any client sends.
var CommandLimits = Limits{Depth: 16, Values: 1024}

// DataLimits suit an RTMP data message. The metadata of a file lists every keyframe: ten hours of them fit. FFmpeg reads
// no deeper than this.
var DataLimits = Limits{Depth: 16, Values: 1 << 16}

// Decoder reads the AMF0 values of one message, between which references may reach.
type Decoder struct {
	in      []byte
	off     int
	limits  Limits
	depth   int      // levels open at off
	deepest int      // deepest level seen inside the innermost open complex value
	values  int      // charged so far
	spared  int      // bytes that references stood for so far
	targets []target // the values that AMF0 references may name
	err     error
}

// NewDecoder returns a decoder of b, which must not change until the last call of Decode.
func NewDecoder(b []byte, limits Limits) *Decoder {
	return &Decoder{in: b, limits: limits}
}

// Decode returns the next AMF0 value, or io.EOF exactly at the end of the input. Any other error is final: it wraps one
// of the sentinels of this package, and later calls return it again.
func (d *Decoder) Decode() (any, error) {
	if d.err != nil {
		return nil, d.err
	}
	if d.left() == 0 {
		return nil, io.EOF
	}
	v, err := d.value()
	if err != nil {
		d.err = err
		return nil, err
	}
	return v, nil
}

// Offset returns the number of bytes consumed.
func (d *Decoder) Offset() int { return d.off }

func (d *Decoder) left() int { return len(d.in) - d.off }

func (d *Decoder) fail(cause error, what string) error {
	return fmt.Errorf("%s at byte %d: %w", what, d.off, cause)
}

func (d *Decoder) badMarker(marker byte) error {
	return d.fail(ErrMarker, fmt.Sprintf("0x%02X before the value", marker))
}

// charge takes n values off the budget.
func (d *Decoder) charge(n int) error {
	if n > d.limits.Values-d.values {
		return d.fail(ErrValues, "value")
	}
	d.values += n
	return nil
}

// expect refuses a count of values, of size bytes or more each, that cannot be met. Nothing is allocated by the count
// all the same: nested arrays could each announce all that is left.
func (d *Decoder) expect(n, size int) error {
	if n < 0 || n > d.left()/size {
		return d.fail(ErrTruncated, "count")
	}
	if n > d.limits.Values-d.values {
		return d.fail(ErrValues, "count")
	}
	return nil
}

// descend enters a container.
func (d *Decoder) descend() error {
	if d.depth >= d.limits.Depth {
		return d.fail(ErrDepth, "container")
	}
	d.depth++
	d.deepest = max(d.deepest, d.depth)
	return nil
}

func (d *Decoder) ascend() { d.depth-- }

// next returns a view of the next n bytes. n is negative if a 32-bit int could not hold the length.
func (d *Decoder) next(n int) ([]byte, error) {
	if n < 0 || n > d.left() {
		return nil, d.fail(ErrTruncated, "value")
	}
	b := d.in[d.off : d.off+n]
	d.off += n
	return b, nil
}

func (d *Decoder) text(n int) (string, error) {
	b, err := d.next(n)
	return string(b), err
}

func (d *Decoder) u8() (byte, error) {
	b, err := d.next(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (d *Decoder) u16() (int, error) {
	b, err := d.next(2)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint16(b)), nil
}

func (d *Decoder) u32() (int, error) {
	b, err := d.next(4)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint32(b)), nil
}

func (d *Decoder) double() (float64, error) {
	b, err := d.next(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

// list reads n values of one byte or more with read.
func (d *Decoder) list(n int, read func() (any, error)) ([]any, error) {
	if err := d.expect(n, 1); err != nil {
		return nil, err
	}
	items := []any{}
	for range n {
		v, err := read()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}
