package cli

import (
	"context"
	"os"
	"strings"

	"golang.org/x/term"
)

// View shows something once, or again and again when the session watches, until ctx ends.
// On a terminal the newest takes the place of what was shown before; elsewhere it is printed when it has
// changed.
func (s *Session) View(ctx context.Context, show func(context.Context, *Session) error) error {
	if s.Watch <= 0 {
		return show(ctx, s)
	}
	w := watch{session: s, area: screen{out: s.Out, size: s.size}}
	for {
		text, err := w.look(ctx, show)
		if ctx.Err() != nil {
			return &Exit{Code: Interrupted}
		}
		if err != nil {
			return err
		}
		if err := w.renew(text); err != nil {
			return err
		}
		if wait(ctx, s.Watch) != nil {
			return &Exit{Code: Interrupted}
		}
	}
}

// A watch is something that is shown again and again.
type watch struct {
	session *Session
	area    screen
	looked  bool
	seen    string // what was shown last, as JSON: that time has passed is no change
	now     string // what was seen just now
}

// look is how it looks now, with notes behind it on a terminal.
func (w *watch) look(ctx context.Context, show func(context.Context, *Session) error) (string, error) {
	var text, notes, seen strings.Builder
	once := *w.session
	once.Out, once.Err, once.seen = &text, &notes, &seen
	if err := show(ctx, &once); err != nil {
		return "", err
	}
	w.now = seen.String()
	if w.session.Terminal {
		return text.String() + notes.String(), nil
	}
	if !w.looked && notes.Len() > 0 {
		w.session.note("%s", strings.TrimSuffix(notes.String(), "\n"))
	}
	return text.String(), nil
}

func (w *watch) renew(text string) error {
	first, changed := !w.looked, w.now != w.seen
	w.looked, w.seen = true, w.now
	switch s := w.session; {
	case s.Terminal:
		w.area.draw(strings.Split(strings.TrimRight(text, "\n"), "\n"))
	case first:
		return s.print(text)
	case changed && (s.Format == Table || s.Format == Wide):
		return s.print("\n" + text)
	case changed:
		return s.print(text)
	}
	return nil
}

// size is that of the terminal, or what most have.
func (s *Session) size() (width, height int) {
	for _, f := range []*os.File{os.Stderr, os.Stdout} {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width, height
		}
	}
	return 80, 24
}
