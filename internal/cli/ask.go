package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Confirm asks before something that cannot be undone. Without a terminal nobody is asked: then it is
// refused, unless --yes was given.
func (s *Session) Confirm(what string) error {
	if s.Yes {
		return nil
	}
	if !s.Ask {
		return &Exit{Refused, Advise(fmt.Errorf("%s: nobody is there to confirm it", what), "give --yes to do it without asking")}
	}
	return s.confirm(what)
}

// confirm asks whoever is there.
func (s *Session) confirm(what string) error {
	if answer := s.answer(what + "? [y/N] "); answer != "y" && answer != "yes" {
		return &Exit{Refused, fmt.Errorf("not done: the answer was no")}
	}
	return nil
}

// answer asks for a line, in lower case; "" when there is none.
func (s *Session) answer(question string) string {
	_, _ = io.WriteString(s.Err, question)
	line, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil {
		_, _ = io.WriteString(s.Err, "\n")
	}
	return strings.ToLower(strings.TrimSpace(line))
}
