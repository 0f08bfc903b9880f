package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// TagType is the type of an FLV tag. The values of audio, video and script are those of the RTMP messages.
type TagType uint8

// The tag types.
const (
	TagAudio      TagType = 8
	TagVideo      TagType = 9
	TagScriptAMF3 TagType = 15 // Enhanced RTMP v2
	TagScript     TagType = 18
)

// Sizes of an FLV stream, which is a header and a back pointer, then tags with a back pointer after each.
const (
	FLVHeaderSize   = 9
	TagHeaderSize   = 11
	BackPointerSize = 4
	MaxTagSize      = 1<<24 - 1 // of the payload: its size has three bytes, as in RTMP
)

const (
	flvHasAudio = 0x04
	flvHasVideo = 0x01
	tagFilter   = 0x20 // the payload is encrypted
	// maxFLVHeaderSize stops a made-up header size from making a reader swallow gigabytes before the first tag.
	maxFLVHeaderSize = 64 << 10
)

// AppendFLVHeader appends what stands before the first tag: the header and the back pointer 0. A reader may wait for
// each kind of media that is announced, and may ignore what is not; announce both when nothing is known.
func AppendFLVHeader(dst []byte, hasAudio, hasVideo bool) []byte {
	var flags byte
	if hasAudio {
		flags |= flvHasAudio
	}
	if hasVideo {
		flags |= flvHasVideo
	}
	return append(dst, 'F', 'L', 'V', 1, flags, 0, 0, 0, FLVHeaderSize, 0, 0, 0, 0)
}

// AppendTagHeader appends the header of a tag with a payload of size bytes, at most MaxTagSize. The timestamp is in
// ms. It has 24 bits, and the upper ones in a byte of their own; the field is signed, so that it starts over at
// 2^31 ms, as in files of FFmpeg.
func AppendTagHeader(dst []byte, tagType TagType, size int, timestamp uint32) []byte {
	return append(dst, byte(tagType), byte(size>>16), byte(size>>8), byte(size),
		byte(timestamp>>16), byte(timestamp>>8), byte(timestamp), byte(timestamp>>24)&0x7F, 0, 0, 0)
}

// AppendBackPointer appends what follows a tag with a payload of size bytes: the size of the tag with its header.
func AppendBackPointer(dst []byte, size int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(TagHeaderSize+size))
}

// AppendTag appends a whole tag and its back pointer.
func AppendTag(dst []byte, tagType TagType, timestamp uint32, payload []byte) []byte {
	dst = AppendTagHeader(dst, tagType, len(payload), timestamp)
	dst = append(dst, payload...)
	return AppendBackPointer(dst, len(payload))
}

// Tag is an FLV tag.
type Tag struct {
	Type      TagType
	Encrypted bool   // the payload is encrypted behind its first bytes
	Timestamp uint32 // ms
	Payload   []byte // owned by the receiver
}

// ReadFLV reads tags until the end of r. The last pair has an error if r does not end after a back pointer
// (io.ErrUnexpectedEOF), is no FLV stream, has a payload of more than maxPayload bytes or a wrong back pointer (all
// wrap ErrMalformed), or fails itself.
func ReadFLV(r io.Reader, maxPayload int) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		err := readFLVHeader(r)
		for size := 0; err == nil; {
			if err = readBackPointer(r, size); err != nil {
				break
			}
			var tag Tag
			tag, err = readTag(r, maxPayload)
			if errors.Is(err, io.EOF) || err == nil && !yield(tag, nil) {
				return
			}
			size = TagHeaderSize + len(tag.Payload)
		}
		yield(Tag{}, fmt.Errorf("read FLV: %w", err))
	}
}

// readFLVHeader also passes over what a longer header may hold.
func readFLVHeader(r io.Reader) error {
	var header [FLVHeaderSize]byte
	if err := readAll(r, header[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(header[5:])
	if string(header[:4]) != "FLV\x01" || size < FLVHeaderSize || size > maxFLVHeaderSize {
		return fmt.Errorf("%w: no FLV header", ErrMalformed)
	}
	return readAll(r, make([]byte, size-FLVHeaderSize))
}

// readBackPointer checks it against the size of the tag before it, which is 0 before the first tag.
func readBackPointer(r io.Reader, size int) error {
	var b [BackPointerSize]byte
	if err := readAll(r, b[:]); err != nil {
		return err
	}
	if got := binary.BigEndian.Uint32(b[:]); got != uint32(size) {
		return fmt.Errorf("%w: back pointer %d after a tag of %d bytes", ErrMalformed, got, size)
	}
	return nil
}

// readTag returns io.EOF where r ends before the tag. The payload grows as it arrives: its size alone, which a peer
// may have made up, reserves nothing.
func readTag(r io.Reader, maxPayload int) (Tag, error) {
	var header [TagHeaderSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return Tag{}, err
	}
	size := unsigned24(header[1:])
	if size > maxPayload {
		return Tag{}, fmt.Errorf("%w: payload of %d bytes", ErrMalformed, size)
	}
	payload, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err == nil && len(payload) < size {
		err = io.ErrUnexpectedEOF
	}
	return Tag{
		Type:      TagType(header[0] & 0x1F),
		Encrypted: header[0]&tagFilter != 0,
		Timestamp: uint32(header[7])<<24 | uint32(unsigned24(header[4:])),
		Payload:   payload,
	}, err
}

// readAll fills b, and calls an end before that unexpected.
func readAll(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
