package rtmptest

import (
	"fmt"
	"strconv"
	"strings"
	"text/scanner"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// ParseValues reads AMF values written one after the other:
//
//	"text" 1.5 -2000 true null undefined {app: "live"} ecma{width: 1280} [1, 2]
func ParseValues(text string) ([]any, error) {
	p := &valueParser{}
	p.s.Init(strings.NewReader(text))
	p.s.Mode = scanner.ScanIdents | scanner.ScanFloats | scanner.ScanInts | scanner.ScanStrings
	p.s.Error = func(_ *scanner.Scanner, msg string) { p.fail(msg) }
	var values []any
	for p.next(); p.tok != scanner.EOF && p.err == nil; p.next() {
		values = append(values, p.value())
	}
	return values, p.err
}

type valueParser struct {
	s   scanner.Scanner
	tok rune
	err error
}

func (p *valueParser) next() { p.tok = p.s.Scan() }

func (p *valueParser) fail(msg string) {
	if p.err == nil {
		p.err = fmt.Errorf("value at %d: %s", p.s.Offset, msg)
	}
}

// value parses the value that starts with the current token, and leaves its
// last one current.
func (p *valueParser) value() any {
	switch p.tok {
	case scanner.String:
		s, err := strconv.Unquote(p.s.TokenText())
		if err != nil {
			p.fail(err.Error())
		}
		return s
	case scanner.Int, scanner.Float:
		return p.number("")
	case '-':
		p.next()
		return p.number("-")
	case '{':
		return amf.Object(p.properties())
	case '[':
		return p.array()
	case scanner.Ident:
		return p.word(p.s.TokenText())
	default:
		p.fail(fmt.Sprintf("unexpected %q", p.s.TokenText()))
		return nil
	}
}

func (p *valueParser) number(sign string) any {
	n, err := strconv.ParseFloat(sign+p.s.TokenText(), 64)
	if err != nil {
		p.fail(err.Error())
	}
	return n
}

func (p *valueParser) word(word string) any {
	switch word {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	case "undefined":
		return amf.Undefined{}
	case "ecma":
		p.next()
		return amf.ECMAArray(p.properties())
	default:
		p.fail(fmt.Sprintf("unknown word %q", word))
		return nil
	}
}

func (p *valueParser) properties() []amf.Property {
	properties := []amf.Property{}
	for p.next(); p.tok != '}' && p.err == nil; p.next() {
		if p.tok == ',' {
			continue
		}
		name := p.s.TokenText()
		if p.tok == scanner.String {
			name, _ = strconv.Unquote(name)
		}
		if p.next(); p.tok != ':' {
			p.fail("no colon behind " + name)
		}
		p.next()
		properties = append(properties, amf.Property{Name: name, Value: p.value()})
	}
	return properties
}

func (p *valueParser) array() amf.StrictArray {
	array := amf.StrictArray{}
	for p.next(); p.tok != ']' && p.err == nil; p.next() {
		if p.tok != ',' {
			array = append(array, p.value())
		}
	}
	return array
}

// FormatValue writes a value in the form that ParseValues reads.
func FormatValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case amf.Undefined:
		return "undefined"
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case amf.Object:
		return formatProperties(v)
	case amf.ECMAArray:
		return "ecma" + formatProperties(v)
	case amf.StrictArray:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = FormatValue(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return fmt.Sprintf("%T%v", v, v)
	}
}

func formatProperties(properties []amf.Property) string {
	parts := make([]string, len(properties))
	for i, p := range properties {
		parts[i] = p.Name + ": " + FormatValue(p.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
