package amf

import (
	"encoding/binary"
	"math"
)

// numericVector reads a vector of n numbers. Its items are no larger in memory than on the wire, so unlike other counts
// this one may size the allocation once the bytes are known to be there.
func (r *decoder3) numericVector(marker byte, n int) (any, error) {
	fixed, err := r.flag()
	if err != nil {
		return nil, err
	}
	size := 4
	if marker == amf3DoubleVector {
		size = 8
	}
	b, err := r.next(n * size) // 28 bits times 8 fit an int of 32 bits
	if err != nil {
		return nil, err
	}
	switch marker {
	case amf3IntVector:
		return IntVector{fixed, numbers(b, size, func(b []byte) int32 { return int32(binary.BigEndian.Uint32(b)) })}, nil
	case amf3UintVector:
		return UintVector{fixed, numbers(b, size, binary.BigEndian.Uint32)}, nil
	}
	return DoubleVector{fixed, numbers(b, size, func(b []byte) float64 {
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	})}, nil
}

func numbers[T any](b []byte, size int, convert func([]byte) T) []T {
	items := make([]T, len(b)/size)
	for i := range items {
		items[i] = convert(b[i*size:])
	}
	return items
}

// appendVector3 encodes the head that all vectors share.
func appendVector3(dst []byte, marker byte, n int, fixed bool) []byte {
	return appendFlag(appendLength3(append(dst, marker), n), fixed)
}

func appendIntVector(dst []byte, v IntVector) []byte {
	dst = appendVector3(dst, amf3IntVector, len(v.Items), v.Fixed)
	for _, n := range v.Items {
		dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	}
	return dst
}

func appendUintVector(dst []byte, v UintVector) []byte {
	dst = appendVector3(dst, amf3UintVector, len(v.Items), v.Fixed)
	for _, n := range v.Items {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	return dst
}

func appendDoubleVector(dst []byte, v DoubleVector) []byte {
	dst = appendVector3(dst, amf3DoubleVector, len(v.Items), v.Fixed)
	for _, n := range v.Items {
		dst = appendDouble(dst, n)
	}
	return dst
}

func appendObjectVector(dst []byte, v ObjectVector) []byte {
	dst = appendVector3(dst, amf3ObjectVector, len(v.Items), v.Fixed)
	dst = appendString3(dst, v.Type)
	for _, item := range v.Items {
		dst = append3(dst, item)
	}
	return dst
}
