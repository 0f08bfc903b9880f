package amf

// maxSpared bounds the bytes that the references of one input may stand for. It stops the billion laughs built of one
// long string instead of many values: without it, 64 KiB that name a string 1,000 times would encode to 64 MiB.
const maxSpared = 1 << 20

// maxHeader is the longest header, an AMF3 length, that a reference can spare besides the content.
const maxHeader = 4

// target is an entry of a reference table. While the value is being read, the figures are what the decoder's counters
// showed at its start; then they are what the value costs whoever names it.
type target struct {
	value    any
	finished bool
	values   int // values inside it
	bytes    int // its length with all references expanded
	height   int // levels that it takes up
}

// extent is how long the input read so far would be without references.
func (d *Decoder) extent() int { return d.off + d.spared }

// begin gives the next index of the table to a value whose content comes next, and returns that index. The marker comes
// before the content, so a parent has a lower index than its children.
func (d *Decoder) begin(table *[]target) int {
	*table = append(*table, target{values: d.values, bytes: d.extent(), height: d.deepest})
	d.deepest = d.depth
	return len(*table) - 1
}

// finish completes the entry of a value that was read to its end.
func (d *Decoder) finish(t *target, v any) {
	outer := t.height
	*t = target{
		value:    v,
		finished: true,
		values:   d.values - t.values,
		bytes:    d.extent() - t.bytes + maxHeader,
		height:   d.deepest - d.depth,
	}
	d.deepest = max(outer, d.deepest)
}

// resolve returns the value that a reference names and charges for it as if it stood there in full. (The value itself
// has been charged with the reference's marker.) An unfinished value encloses the reference: a cycle.
func (d *Decoder) resolve(table []target, index int) (any, error) {
	if index >= len(table) || !table[index].finished {
		return nil, d.fail(ErrReference, "reference")
	}
	t := &table[index]
	if err := d.charge(t.values); err != nil {
		return nil, err
	}
	if d.depth+t.height > d.limits.Depth {
		return nil, d.fail(ErrDepth, "reference")
	}
	d.deepest = max(d.deepest, d.depth+t.height)
	return t.value, d.spare(t.bytes)
}

// spare charges for n bytes that a reference stands for.
func (d *Decoder) spare(n int) error {
	if n > maxSpared-d.spared {
		return d.fail(ErrReference, "references stand for too many bytes")
	}
	d.spared += n
	return nil
}
