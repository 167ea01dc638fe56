package docker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/orderly-run/orderly/internal/docker"
)

// frame is one of a stream, with its head.
func frame(stream byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{stream, 0, 0, 0}, uint32(len(text))), text...)
}

func TestStreamsAreMerged(t *testing.T) { // OUT-1
	whole := bytes.Join([][]byte{frame(1, "one\n"), frame(2, "two\n"), frame(1, ""), frame(3, "engine\n"), frame(1, "three")}, nil)
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(whole), "by bytes": iotest.OneByteReader(bytes.NewReader(whole)), "with its end": iotest.DataErrReader(bytes.NewReader(whole))} {
		if got, err := io.ReadAll(docker.Demultiplex(r)); err != nil || string(got) != "one\ntwo\nengine\nthree" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for n := range whole {
		got, err := io.ReadAll(docker.Demultiplex(bytes.NewReader(whole[:n])))
		if !bytes.HasPrefix([]byte("one\ntwo\nengine\nthree"), got) || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %q, %v", n, got, err)
		}
	}
	for _, head := range [][]byte{{4, 0, 0, 0, 0, 0, 0, 1, 'x'}, {1, 1, 0, 0, 0, 0, 0, 1, 'x'}, []byte("HTTP/1.1 200 OK")} {
		if got, err := io.ReadAll(docker.Demultiplex(bytes.NewReader(head))); !errors.Is(err, docker.ErrMalformed) || len(got) > 0 {
			t.Errorf("% x: %q, %v; want it to be refused", head, got, err)
		}
	}
}

// Whatever comes, no more goes out than came in, and it ends.
func FuzzDemultiplex(f *testing.F) {
	f.Add(frame(1, "one"), 3)
	f.Add(append(frame(2, "two"), 1, 0, 0, 0, 255, 255, 255, 255, 'x'), 1)
	f.Add([]byte{9}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		r := docker.Demultiplex(bytes.NewReader(stream))
		b := make([]byte, 1+uint(size)%64)
		total := 0
		for {
			n, err := r.Read(b)
			total += n
			if err != nil {
				break
			}
			if n == 0 {
				t.Fatal("it reads nothing")
			}
		}
		if total > len(stream) {
			t.Errorf("%d bytes of %d", total, len(stream))
		}
		if n, err := r.Read(b); n > 0 || err == nil {
			t.Errorf("behind the end: %d, %v", n, err)
		}
	})
}
