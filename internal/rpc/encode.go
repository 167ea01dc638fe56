package rpc

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A shape is how a type of a response looks on the wire. It is made once for each action.
type shape struct {
	kind    reflect.Kind // Struct, Slice, Map, String, Bool, Int64 or Uint64
	pointer bool         // nil is left out
	members []member     // of a Struct
	elem    *shape       // of a Slice, or of a Map whose keys are strings
}

// A member is one field of a struct.
type member struct {
	name  string
	index []int
	shape *shape
}

// responseShape panics on a type that is no answer: that is a bug of the dialect.
func responseShape(t reflect.Type) *shape {
	s := shapeOf(t)
	if s.kind != reflect.Struct || s.pointer {
		panic(fmt.Sprintf("rpc: response type %s is not a struct", t))
	}
	for _, m := range s.members {
		if m.name == "Code" || m.name == "RequestId" {
			panic(fmt.Sprintf("rpc: response type %s has a field %s at its top", t, m.name))
		}
	}
	return s
}

func shapeOf(t reflect.Type) *shape {
	switch t.Kind() {
	case reflect.String, reflect.Bool:
		return &shape{kind: t.Kind()}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &shape{kind: reflect.Int64}
	case reflect.Uint32, reflect.Uint64:
		return &shape{kind: reflect.Uint64}
	case reflect.Pointer:
		s := shapeOf(t.Elem())
		if s.pointer {
			break
		}
		s.pointer = true
		return s
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Pointer {
			break
		}
		return &shape{kind: reflect.Slice, elem: shapeOf(t.Elem())}
	case reflect.Map:
		if t.Key().Kind() != reflect.String || t.Elem().Kind() == reflect.Slice || t.Elem().Kind() == reflect.Pointer {
			break
		}
		return &shape{kind: reflect.Map, elem: shapeOf(t.Elem())}
	case reflect.Struct:
		s := &shape{kind: reflect.Struct}
		s.add(t, nil)
		return s
	}
	panic(fmt.Sprintf("rpc: a response cannot hold a %s", t))
}

func (s *shape) add(t reflect.Type, at []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clone(at), i)
		switch {
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct:
			s.add(sf.Type, index)
		case sf.IsExported():
			name := sf.Name
			if tag, _, _ := strings.Cut(sf.Tag.Get("rpc"), ","); tag != "" {
				name = tag
			}
			s.members = append(s.members, member{name, index, shapeOf(sf.Type)})
		}
	}
}

// encodeJSON writes {"RequestId":id, ...fields of v}. A zero v with a nil shape has no fields.
func encodeJSON(id string, v reflect.Value, s *shape) []byte {
	dst := quoteJSON([]byte(`{"RequestId":`), id)
	dst = s.membersJSON(dst, v, true)
	return append(dst, '}')
}

func (s *shape) membersJSON(dst []byte, v reflect.Value, comma bool) []byte {
	for _, m := range s.members {
		value, ok := m.of(v)
		if !ok {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(quoteJSON(dst, m.name), ':')
		dst = m.shape.json(dst, value)
	}
	return dst
}

// of returns the member of struct v, or false when it is to be left out.
func (m member) of(v reflect.Value) (reflect.Value, bool) {
	value := v.FieldByIndex(m.index)
	if !m.shape.pointer {
		return value, true
	}
	return value.Elem(), !value.IsNil()
}

func (s *shape) json(dst []byte, v reflect.Value) []byte {
	switch s.kind {
	case reflect.Struct:
		dst = s.membersJSON(append(dst, '{'), v, false)
		return append(dst, '}')
	case reflect.Slice:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = s.elem.json(dst, v.Index(i))
		}
		return append(dst, ']')
	case reflect.Map:
		return s.mapJSON(dst, v)
	case reflect.String:
		return quoteJSON(dst, v.String())
	}
	return s.plain(dst, v)
}

func (s *shape) mapJSON(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	for i, key := range keysOf(v) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(quoteJSON(dst, key.String()), ':')
		dst = s.elem.json(dst, v.MapIndex(key))
	}
	return append(dst, '}')
}

// keysOf are the keys of a map, in their order.
func keysOf(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}

// plain writes what looks the same in JSON and XML.
func (s *shape) plain(dst []byte, v reflect.Value) []byte {
	switch s.kind {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10)
	}
	return strconv.AppendInt(dst, v.Int(), 10)
}

// quoteJSON appends s as a JSON string. Only what JSON demands is escaped; bytes that are not
// UTF-8 become U+FFFD.
func quoteJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r < ' ' || r == 0x7f:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r) // RuneError for what is not UTF-8
		}
		i += size
	}
	return append(dst, '"')
}

// encodeXML writes <root><RequestId>id</RequestId> ...fields of v</root>.
func encodeXML(root, id string, v reflect.Value, s *shape) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	b.WriteString("<" + root + "><RequestId>" + id + "</RequestId>")
	s.membersXML(&b, v)
	b.WriteString("</" + root + ">")
	return b.Bytes()
}

func (s *shape) membersXML(b *bytes.Buffer, v reflect.Value) {
	for _, m := range s.members {
		if value, ok := m.of(v); ok {
			m.shape.xml(b, m.name, value)
		}
	}
}

// xml writes v as elements of that name: one, or as many as a list has.
func (s *shape) xml(b *bytes.Buffer, name string, v reflect.Value) {
	if s.kind == reflect.Slice {
		for i := range v.Len() {
			s.elem.xml(b, name, v.Index(i))
		}
		return
	}
	b.WriteString("<" + name + ">")
	switch s.kind {
	case reflect.Struct:
		s.membersXML(b, v)
	case reflect.Map:
		for _, key := range keysOf(v) {
			s.elem.xml(b, elementName(key.String()), v.MapIndex(key))
		}
	case reflect.String:
		_ = xml.EscapeText(b, []byte(v.String())) // writing to a Buffer does not fail; illegal characters become U+FFFD
	default:
		b.Write(s.plain(b.AvailableBuffer(), v))
	}
	b.WriteString("</" + name + ">")
}

// notInNames finds what the name of an element cannot have.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// elementName is the name of the element for a key of a map: the key itself where it can be one.
func elementName(key string) string {
	key = notInNames.ReplaceAllString(key, "_")
	if key == "" || !strings.ContainsAny(key[:1], "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		key = "_" + key
	}
	return key
}
