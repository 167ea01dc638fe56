package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// frugal is how many times longer than a look took the pause after it is: whatever is looked at, one
// page that stays open takes at most 2 % of a core.
const frugal = 50

// Limits of streams.
const (
	sendLimit = 30 * time.Second // for a browser to take what it is sent
	beat      = 15 * time.Second // between signs of life, so that no proxy closes a quiet stream
	recheck   = 30 * time.Second // between looks whether the session goes on
)

// An event is a part of a page that may have changed.
type event struct {
	name string
	html []byte
}

// stream sends what look returns whenever it differs from what was sent before, until look says that all
// is over or the browser, the session or the server goes away. The last event is "done".
func (c *Console) stream(v *visit, look func(context.Context) (events []event, over bool, err error)) error {
	s := &stream{visit: v, out: http.NewResponseController(v.w), sent: map[string][]byte{}, checked: time.Now()}
	if err := s.out.SetReadDeadline(time.Time{}); err != nil { // which would end the visit
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	v.w.WriteHeader(http.StatusOK)
	for {
		began := time.Now()
		events, over, err := look(v.Context())
		if err != nil {
			return s.end(c, err)
		}
		if s.send(events, over) != nil || over {
			return nil //nolint:nilerr // the browser has gone, or all is said
		}
		select {
		case <-time.After(max(c.cfg.Tick, frugal*time.Since(began))):
		case <-c.closed:
			return nil
		case <-v.Context().Done():
			return nil
		}
		if time.Since(s.checked) > recheck {
			if _, err := c.sessionOf(v); err != nil {
				return s.end(c, err)
			}
			s.checked = time.Now()
		}
	}
}

// A stream is what is sent live to one page.
type stream struct {
	*visit
	out     *http.ResponseController
	sent    map[string][]byte
	last    time.Time
	checked time.Time
}

// end tells the log why a stream ended: its status has been sent, so that no page can.
func (s *stream) end(c *Console, err error) error {
	if !errors.Is(err, errSignIn) && !errors.Is(err, context.Canceled) {
		c.log.WarnContext(s.Context(), "a live page ended", "request", s.caller.RequestID, "path", s.URL.Path, "error", err)
	}
	_ = s.send(nil, true) // if anybody is there
	return nil
}

func (s *stream) send(events []event, over bool) error {
	var b bytes.Buffer
	for _, e := range events {
		if !bytes.Equal(s.sent[e.name], e.html) {
			s.sent[e.name] = e.html
			write(&b, e)
		}
	}
	if over {
		write(&b, event{"done", []byte("done")})
	}
	if b.Len() == 0 {
		if time.Since(s.last) < beat {
			return nil
		}
		b.WriteString(": still here\n\n")
	}
	s.last = time.Now()
	if err := s.out.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return err
	}
	if _, err := s.w.Write(b.Bytes()); err != nil {
		return err
	}
	return s.out.Flush()
}

// write writes an event in its form on the wire.
func write(b *bytes.Buffer, e event) {
	fmt.Fprintf(b, "event: %s\n", e.name)
	for l := range bytes.Lines(bytes.ReplaceAll(e.html, []byte("\r"), nil)) { // each of which would end a line too
		b.WriteString("data: ")
		b.Write(bytes.TrimSuffix(l, []byte("\n")))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}
