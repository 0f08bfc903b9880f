package amf

import (
	"math"
	"reflect"
	"testing"
)

func TestGetReturnsTheLastDuplicate(t *testing.T) {
	properties := []Property{{"a", 1.0}, {"b", nil}, {"a", 2.0}}
	for _, get := range []func(string) (any, bool){Object(properties).Get, ECMAArray(properties).Get} {
		if v, ok := get("a"); v != 2.0 || !ok {
			t.Errorf("a: got %v, %v", v, ok)
		}
		if v, ok := get("b"); v != nil || !ok {
			t.Errorf("b: got %v, %v", v, ok)
		}
		if v, ok := get("c"); v != nil || ok {
			t.Errorf("c: got %v, %v", v, ok)
		}
	}
}

func TestPropertiesTreatsAllObjectsAlike(t *testing.T) {
	p := []Property{{"a", 1.0}, {"b", 2.0}}
	for _, v := range []any{
		Object(p), ECMAArray(p), TypedObject{"C", p}, Array3{p, nil}, AVMPlus{Array3{Assoc: p}},
		Object3{Sealed: p}, Object3{Extra: p}, AVMPlus{Object3{Sealed: p[:1], Extra: p[1:]}},
	} {
		if got, ok := Properties(v); !ok || !reflect.DeepEqual(got, Object(p)) {
			t.Errorf("%#v: got %v, %v", v, got, ok)
		}
	}
	for _, v := range []any{nil, "a", 1.0, StrictArray{}, AVMPlus{}, AVMPlus{ByteArray{}}} {
		if got, ok := Properties(v); ok || got != nil {
			t.Errorf("%#v: got %v, %v", v, got, ok)
		}
	}
}

func TestPropertiesLeavesTheObjectAsItWas(t *testing.T) {
	all := []Property{{"a", nil}, {"b", nil}}
	got, _ := Properties(Object3{Sealed: all[:1], Extra: []Property{{"c", nil}}})
	if len(got) != 2 || got[1].Name != "c" || all[1].Name != "b" {
		t.Errorf("got %v, the object became %v", got, all)
	}
}

func TestConversions(t *testing.T) {
	type number struct {
		v  float64
		ok bool
	}
	type text struct {
		v  string
		ok bool
	}
	type truth struct{ v, ok bool }
	for _, c := range []struct {
		in     any
		number number
		text   text
		truth  truth
	}{
		{in: nil},
		{in: AVMPlus{}},
		{in: Undefined{}},
		{in: XML("a")},
		{in: 0.0, number: number{0, true}, truth: truth{false, true}},
		{in: -1.5, number: number{-1.5, true}, truth: truth{true, true}},
		{in: AVMPlus{2.0}, number: number{2, true}, truth: truth{true, true}},
		{in: AVMPlus{Integer(-3)}, number: number{-3, true}, truth: truth{true, true}},
		{in: Integer(0), number: number{0, true}, truth: truth{false, true}},
		{in: "a", text: text{"a", true}},
		{in: AVMPlus{""}, text: text{"", true}},
		{in: true, truth: truth{true, true}},
		{in: AVMPlus{false}, truth: truth{false, true}},
	} {
		n, ok := AsNumber(c.in)
		if got := (number{n, ok}); got != c.number {
			t.Errorf("AsNumber(%#v) = %v, want %v", c.in, got, c.number)
		}
		s, ok := AsString(c.in)
		if got := (text{s, ok}); got != c.text {
			t.Errorf("AsString(%#v) = %v, want %v", c.in, got, c.text)
		}
		b, ok := AsBool(c.in)
		if got := (truth{b, ok}); got != c.truth {
			t.Errorf("AsBool(%#v) = %v, want %v", c.in, got, c.truth)
		}
	}
	if b, ok := AsBool(math.NaN()); b || !ok {
		t.Errorf("AsBool(NaN) = %v, %v", b, ok)
	}
}
