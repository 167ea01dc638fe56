package docker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrMalformed says that a stream is none of an engine's.
var ErrMalformed = errors.New("malformed stream of a container engine")

// streams is how many kinds of frames there are: standard input, output, error, and the engine's own word.
const streams = 4

// A demultiplexer reads the frames of an engine. Each begins with 8 bytes: the stream, three that are 0, and the length of the
// rest, big endian.
type demultiplexer struct {
	from io.Reader
	left uint32 // of the frame that is being read
	err  error
}

// Demultiplex reads what is in a stream's frames, one after the other, whatever they belong to. A stream that ends within a frame
// ends with io.ErrUnexpectedEOF.
func Demultiplex(r io.Reader) io.Reader { return &demultiplexer{from: r} }

func (d *demultiplexer) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for d.left == 0 && d.err == nil {
		d.left, d.err = d.next()
	}
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.from.Read(b[:min(uint64(len(b)), uint64(d.left))])
	d.left -= uint32(n)
	if errors.Is(err, io.EOF) && d.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		d.err = err
	}
	if n > 0 {
		return n, nil // what else there is to say comes with the next call
	}
	return 0, d.err
}

// next reads the head of a frame.
func (d *demultiplexer) next() (length uint32, err error) {
	var head [8]byte
	if _, err := io.ReadFull(d.from, head[:]); err != nil {
		return 0, err
	}
	if head[0] >= streams || head[1]|head[2]|head[3] != 0 {
		return 0, fmt.Errorf("%w: a frame begins with % x", ErrMalformed, head[:4])
	}
	return binary.BigEndian.Uint32(head[4:]), nil
}
