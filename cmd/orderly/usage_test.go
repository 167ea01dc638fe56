package main

import "testing"

func TestParagraphsAreBrokenAnew(t *testing.T) {
	const text = "One two three\nfour five.\n\n  as it\n  is\nSix seven eight."
	for width, want := range map[int]string{
		0:   text,
		11:  "One two\nthree four\nfive.\n\n  as it\n  is\nSix seven\neight.",
		100: "One two three four five.\n\n  as it\n  is\nSix seven eight.",
	} {
		if got := reflow(text, width); got != want {
			t.Errorf("for %d columns %q, want %q", width, got, want)
		}
	}
}
