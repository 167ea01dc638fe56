package proc

import (
	"io"
	"slices"
	"sync"
)

// A tail remembers the last keep bytes written to it. Its memory grows with what is written, up to
// keep.
type tail struct {
	keep int

	mu    sync.Mutex
	buf   []byte
	next  int // where the oldest byte is, and the next one goes, once buf is full
	total int64
}

// add remembers b, as far as it fits.
func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	t.total += int64(n)
	if n >= t.keep {
		t.buf, t.next = append(t.buf[:0], b[n-t.keep:]...), 0
		return
	}
	room := min(t.keep-len(t.buf), n)
	t.buf = append(t.buf, b[:room]...)
	for b = b[room:]; len(b) > 0; {
		m := copy(t.buf[t.next:], b)
		t.next = (t.next + m) % t.keep
		b = b[m:]
	}
}

// written is how many bytes there were in all.
func (t *tail) written() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

func (t *tail) snapshot() (data []byte, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Concat(t.buf[t.next:], t.buf[:t.next]), t.total
}

// drain reads r to its end, or to its deadline, and tells whether it was the end.
func (t *tail) drain(r io.Reader) bool {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		t.add(buf[:n])
		if err != nil {
			return err == io.EOF
		}
	}
}
