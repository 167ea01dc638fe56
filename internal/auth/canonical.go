package auth

import (
	"slices"
	"strings"
)

// Params are decoded request parameters by name.
type Params map[string]string

// Canonical writes the parameters as enc(name)=enc(value) joined by "&", sorted by name bytewise,
// with enc as [Escape]. A parameter with an empty value keeps its "=".
func (p Params) Canonical() string {
	return p.canonical(func(string) bool { return true })
}

// canonical is Canonical of the parameters whose names are to be kept.
func (p Params) canonical(keep func(name string) bool) string {
	names := make([]string, 0, len(p))
	size := 0
	for name, value := range p {
		if keep(name) {
			names = append(names, name)
			size += len(name) + len(value) + 2
		}
	}
	slices.Sort(names)
	b := make([]byte, 0, size+size/2)
	for i, name := range names {
		if i > 0 {
			b = append(b, '&')
		}
		b = appendEscaped(b, name)
		b = append(b, '=')
		b = appendEscaped(b, p[name])
	}
	return string(b)
}

// Escape encodes s by RFC 3986: A-Z a-z 0-9 - _ . ~ stay, every other byte becomes %XX in upper
// case. A space is %20, never "+".
func Escape(s string) string {
	return string(appendEscaped(make([]byte, 0, len(s)+len(s)/2), s))
}

func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("-_.~", c) >= 0
}
