package amf

import "errors"

// Why an input is refused. [Decoder.Decode] wraps them with the place; test with errors.Is.
var (
	// ErrTruncated: the input ends inside a value, or a length or count exceeds what is left of it.
	ErrTruncated = errors.New("amf: truncated")
	// ErrDepth: nested deeper than [Limits].Depth.
	ErrDepth = errors.New("amf: nested too deeply")
	// ErrValues: more values than [Limits].Values, references expanded.
	ErrValues = errors.New("amf: too many values")
	// ErrMarker: a type marker that is unknown, reserved (MovieClip, RecordSet), or an object end outside an object.
	ErrMarker = errors.New("amf: invalid marker")
	// ErrReference: a reference to something absent or unfinished, or references that stand for too many bytes.
	ErrReference = errors.New("amf: invalid reference")
	// ErrExternalizable: an AMF3 object whose length only its class knows, so that nothing after it can be read.
	ErrExternalizable = errors.New("amf: externalizable object")
)
