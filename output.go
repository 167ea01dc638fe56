package orderly

import "unicode/utf8"

// Text is what is kept of t's output, to be shown as text: it begins, and while more is to come ends,
// at the edge of a character (rule OUT-2).
func (t *Task) Text() []byte {
	text := t.Output
	if t.Dropped() > 0 {
		for n := 0; n < utf8.UTFMax-1 && len(text) > 0 && !utf8.RuneStart(text[0]); n++ {
			text = text[1:]
		}
	}
	if t.State.Live() {
		text = whole(text)
	}
	return text
}

// whole is text without the beginning of a character at its end.
func whole(text []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return text[:len(text)-n]
			}
			return text
		}
	}
	return text
}
