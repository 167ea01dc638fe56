package agent

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Compact rewrites the journal without what is forgotten. It happens by itself when the file is
// above 1 MiB and more than half of it is dead.
func (j *Journal) Compact() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.rewrite(); err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	return nil
}

// compactIfWorthwhile has no error to return: without a compaction the journal is as good, only
// larger. After a failure the next attempt waits until it has doubled.
func (j *Journal) compactIfWorthwhile() {
	if j.size <= j.compactAt || j.live > j.size/2 {
		return
	}
	j.compactAt = compactFrom
	if j.rewrite() != nil {
		j.compactAt = 2 * j.size
	}
}

// rewrite puts a file with nothing but the live tasks in place of the current one.
func (j *Journal) rewrite() error {
	tmp, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	c := &compaction{j: j, file: tmp, w: bufio.NewWriterSize(tmp, 64<<10), moved: map[Occurrence]*entry{}}
	if err = errors.Join(c.run(), tmp.Sync()); err != nil {
		tmp.Close()
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if j.file, err = swapFile(tmp, j.file, j.path); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	j.size, j.tasks, j.broken = c.size, c.moved, nil
	return syncDir(filepath.Dir(j.path)) // even if this fails, the new file is the journal now
}

// A compaction writes the tasks of j to a new file.
type compaction struct {
	j     *Journal
	file  *os.File
	w     *bufio.Writer
	size  int64
	buf   []byte
	moved map[Occurrence]*entry
}

// run writes the tasks of earlier boots first, under a head that says so. The last head is the
// file's own. Behind it stands what only the records of forgotten runs told of their schedules.
func (c *compaction) run() error {
	id, err := inode(c.file)
	if err != nil {
		return err
	}
	var earlier, rest []*entry
	for _, e := range c.j.sorted() {
		if e.running() && e.boot != c.j.boot {
			earlier = append(earlier, e)
		} else {
			rest = append(rest, e)
		}
	}
	if len(earlier) > 0 {
		if err := c.section(head{Incarnation: c.j.incarnation, Inode: id}, earlier); err != nil {
			return err
		}
	}
	if err := c.section(head{Incarnation: c.j.incarnation, Boot: c.j.boot, Inode: id}, rest); err != nil {
		return err
	}
	for _, e := range c.moved {
		if !e.Scheduled {
			continue
		}
		if _, err := c.put(record{kind: kindRuns, key: e.Key, body: e.appendRuns(nil, c.j.boot)}); err != nil {
			return err
		}
	}
	return c.w.Flush()
}

func (c *compaction) section(h head, entries []*entry) error {
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := c.put(record{kind: kindHead, body: body}); err != nil {
		return err
	}
	for _, e := range entries {
		moved := *e
		if err := c.task(&moved); err != nil {
			return err
		}
		c.moved[e.Key] = &moved
	}
	return nil
}

// task writes the records that lead to e, and changes its spans to where they are now.
func (c *compaction) task(e *entry) (err error) {
	if e.Stopped {
		if _, err := c.put(record{kind: kindTombstone, key: e.Key}); err != nil {
			return err
		}
	}
	if e.job.off != 0 {
		kind := byte(kindGot)
		if e.Scheduled {
			kind = kindPlan
		}
		if e.job, err = c.move(kind, e.Key, e.job); err != nil {
			return err
		}
	}
	switch e.Phase {
	case Starting:
		_, err = c.put(record{kind: kindStarting, key: e.Key})
		if err == nil && e.Exec != "" {
			_, err = c.put(record{kind: kindExec, key: e.Key, body: []byte(e.Exec)})
		}
	case Started:
		_, err = c.put(record{kind: kindStarted, key: e.Key, body: e.Process.append(nil)})
	case Ended:
		kind := byte(kindEnded)
		if e.Stripped {
			kind = kindStripped
		}
		e.report, err = c.move(kind, e.Key, e.report)
	}
	return err
}

func (c *compaction) move(kind byte, key Occurrence, from span) (span, error) {
	body, err := c.j.load(from)
	if err != nil {
		return span{}, err
	}
	return c.put(record{kind: kind, key: key, body: body})
}

func (c *compaction) put(r record) (span, error) {
	frame, body, err := appendFrame(c.buf[:0], r)
	if err != nil {
		return span{}, err
	}
	c.buf = frame
	if _, err := c.w.Write(frame); err != nil {
		return span{}, err
	}
	at := span{off: c.size + int64(body), len: int64(len(r.body))}
	c.size += int64(len(frame))
	return at, nil
}

func (p Process) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.PID))
	b = binary.AppendUvarint(b, p.StartTime)
	return binary.AppendVarint(b, p.At.UnixMilli())
}

func (e *entry) appendRuns(b []byte, boot string) []byte {
	b = binary.AppendUvarint(b, uint64(e.Runs))
	if e.ranIn == boot {
		return append(b, 1)
	}
	return append(b, 0)
}
