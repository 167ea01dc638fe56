package agent

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// The file is a sequence of frames:
//
//	length of the rest, without the checksum   4 bytes, little endian, never 0
//	CRC-32C of the rest                        4 bytes, little endian
//	kind                                       1 byte; its highest bit is set for a run of a schedule
//	Invocation, Ordinal                        varints
//	Run                                        varint, for a run of a schedule only
//	body                                       what the kind needs
//
// A head says to whom the file belongs and under which boot the records behind it were written. A
// frame that is cut short or does not match its checksum ends the file: it is what a crash left of
// the last write. Kinds of a newer version are passed over, as runs are by versions that know of none.
const (
	kindHead      = 'h' // body: a head in JSON
	kindGot       = 'g' // body: the job
	kindPlan      = 'p' // body: the schedule, for the first time or to replace it
	kindRuns      = 'n' // body: how many runs a schedule had, as a varint, and 1 if the last was under this boot, else 0
	kindStarting  = 'b'
	kindExec      = 'c' // body: the name that a container engine has for what it is about to be asked to start
	kindStarted   = 's' // body: PID, StartTime, At in ms, as varints
	kindEnded     = 'e' // body: the report
	kindStripped  = 'x' // body: the report without its output
	kindTombstone = 't'
	kindAcked     = 'a' // with a schedule all its runs go
	ofRun         = 0x80
)

const (
	frameHead = 8
	maxFrame  = 16 << 20
)

var (
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
	errMalformed = errors.New("malformed record")
)

// phases is where each record leads a task to.
var phases = map[byte]Phase{
	kindGot:      Got,
	kindPlan:     Got,
	kindStarting: Starting,
	kindStarted:  Started,
	kindEnded:    Ended,
	kindStripped: Ended,
}

type record struct {
	kind byte // without ofRun
	key  Occurrence
	body []byte
}

// A head with the boot id of now and another inode belongs to the file this one was copied from.
type head struct {
	Incarnation string `json:"incarnation"`
	Boot        string `json:"boot"` // "": one before the last
	Inode       uint64 `json:"inode"`
}

// appendFrame appends r to b and tells where in the result r's body begins.
func appendFrame(b []byte, r record) (_ []byte, body int, err error) {
	at := len(b)
	b = append(b, make([]byte, frameHead)...)
	kind := r.kind
	if r.key.Run > 0 {
		kind |= ofRun
	}
	b = append(b, kind)
	b = binary.AppendVarint(b, r.key.Invocation)
	b = binary.AppendVarint(b, int64(r.key.Ordinal))
	if r.key.Run > 0 {
		b = binary.AppendVarint(b, int64(r.key.Run))
	}
	body = len(b)
	b = append(b, r.body...)
	rest := b[at+frameHead:]
	if len(rest) > maxFrame {
		return b[:at], 0, fmt.Errorf("journal record of %d bytes is too large", len(rest))
	}
	binary.LittleEndian.PutUint32(b[at:], uint32(len(rest)))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(rest, castagnoli))
	return b, body, nil
}

// readFrame reads the next record and how many bytes it has. Any error means that there is none.
// The body is valid until buf is used again.
func readFrame(r io.Reader, buf *[]byte) (record, int64, error) {
	var fixed [frameHead]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return record{}, 0, err
	}
	n := binary.LittleEndian.Uint32(fixed[:])
	if n == 0 || n > maxFrame {
		return record{}, 0, errMalformed
	}
	if int(n) > cap(*buf) {
		*buf = make([]byte, n)
	}
	rest := (*buf)[:n]
	if _, err := io.ReadFull(r, rest); err != nil {
		return record{}, 0, err
	}
	if crc32.Checksum(rest, castagnoli) != binary.LittleEndian.Uint32(fixed[4:]) {
		return record{}, 0, errMalformed
	}
	rec, err := parseRecord(rest)
	return rec, int64(frameHead + n), err
}

func parseRecord(b []byte) (record, error) {
	r := record{kind: b[0] &^ ofRun}
	numbers := []*int64{&r.key.Invocation, new(int64), new(int64)}
	if b[0] == r.kind {
		numbers = numbers[:2]
	}
	rest := b[1:]
	for _, to := range numbers {
		v, n := binary.Varint(rest)
		if n <= 0 {
			return record{}, errMalformed
		}
		*to, rest = v, rest[n:]
	}
	r.key.Ordinal, r.body = int(*numbers[1]), rest
	if len(numbers) == 3 {
		r.key.Run = int(*numbers[2])
	}
	return r, nil
}

// OpenJournal opens the agent's journal at path, or makes one. boot identifies the machine's current
// boot and is not empty. What is behind the first damage of the file is dropped: it was never
// complete. A copy of another's journal is replaced by a new one, see Copied.
func OpenJournal(path, boot string) (*Journal, error) {
	if boot == "" {
		return nil, errors.New("open journal: no boot id")
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	j := &Journal{path: path, boot: boot, lock: lock, compactAt: compactFrom, tasks: map[Occurrence]*entry{}}
	if err := j.open(); err != nil {
		if j.file != nil {
			j.file.Close()
		}
		lock.Close()
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal) open() error {
	file, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return j.begin()
	}
	if err != nil {
		return err
	}
	j.file = file
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	last, err := j.replay()
	if err != nil {
		return err
	}
	id, err := inode(file)
	if err != nil {
		return err
	}
	j.copied = last.Boot == j.boot && last.Inode != id
	if j.copied || last.Incarnation == "" {
		return j.begin()
	}
	j.incarnation = last.Incarnation
	if err := file.Truncate(j.size); err != nil {
		return err
	}
	if last.Boot == j.boot {
		return nil
	}
	return j.writeHead(id)
}

// begin makes a new, empty journal in place of whatever is there.
func (j *Journal) begin() error {
	j.incarnation = rand.Text()
	clear(j.tasks)
	j.live, j.spool, j.jobs, j.runs = 0, 0, 0, 0
	return j.rewrite()
}

// replay reads all that is whole. Its error is one of reading, not of damage.
func (j *Journal) replay() (last head, err error) {
	r := bufio.NewReaderSize(j.file, 64<<10)
	var buf []byte
	for {
		rec, n, err := readFrame(r, &buf)
		if _, failed := errors.AsType[*os.PathError](err); failed {
			return head{}, err
		}
		if err != nil || j.accept(rec, n, &last) != nil {
			return last, nil //nolint:nilerr // damage ends the file
		}
		j.size += n
	}
}

// accept takes a record of n bytes that lies at the end of what was read before.
func (j *Journal) accept(r record, n int64, last *head) error {
	if r.kind == kindHead {
		var h head
		if err := json.Unmarshal(r.body, &h); err != nil {
			return err
		}
		*last = h
		return nil
	}
	if last.Incarnation == "" {
		return errMalformed
	}
	if phases[r.kind] == 0 && !slices.Contains([]byte{kindTombstone, kindAcked, kindRuns, kindExec}, r.kind) {
		return nil
	}
	size := int64(len(r.body))
	return j.apply(r, span{off: j.size + n - size, len: size}, last.Boot)
}

func (j *Journal) writeHead(inode uint64) error {
	body, err := json.Marshal(head{Incarnation: j.incarnation, Boot: j.boot, Inode: inode})
	if err != nil {
		return err
	}
	_, err = j.write(record{kind: kindHead, body: body})
	return err
}

// append writes r and applies it.
func (j *Journal) append(r record) error {
	body, err := j.write(r)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return j.apply(r, body, j.boot)
}

// write writes r at the end of the file, or leaves the file as it was. It returns where r's body is.
func (j *Journal) write(r record) (span, error) {
	if j.broken != nil && j.file.Truncate(j.size) != nil {
		return span{}, j.broken
	}
	j.broken = nil
	frame, body, err := appendFrame(j.buf[:0], r)
	if err != nil {
		return span{}, err
	}
	if cap(frame) <= 64<<10 {
		j.buf = frame
	}
	if _, err := j.file.WriteAt(frame, j.size); err != nil {
		if err2 := j.file.Truncate(j.size); err2 != nil {
			j.broken = errors.Join(err, err2)
		}
		return span{}, err
	}
	at := span{off: j.size + int64(body), len: int64(len(r.body))}
	j.size += int64(len(frame))
	return at, nil
}
