package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// A placement is a file on its way to its place. It is written beside it, under a name that only the agent
// has, and takes its place in one step when it is whole: whoever looks, and whatever is killed when, finds what
// was there before or the new file. All of it happens in the directory that was opened once, and nothing follows
// a link in the place of the file.
type placement struct {
	file     *wire.File
	temp     string      // its name until it is whole
	mode     fs.FileMode // that it shall have
	uid, gid int         // -1 to leave as they are
	turn     atomic.Bool // whoever sets it decides: that the file takes its place, or that there is no more time

	dir  *os.Root
	body *os.File
}

// A misplacement is a fault with the code that says it, and the state that it ends a task in.
type misplacement struct {
	state orderly.State
	code  orderly.ErrorCode
	err   error
}

func (m *misplacement) Error() string { return string(m.code) + ": " + m.err.Error() }
func (m *misplacement) Unwrap() error { return m.err }

// errAbandoned says that a file was not put in its place because there was no more time.
var errAbandoned = errors.New("the time is over")

// unfitFile is the code of what is wrong with a file wherever it is to go (SF-3); "" is nothing.
func unfitFile(f *wire.File) orderly.ErrorCode {
	_, ok := modeOfFile(f.Mode)
	switch {
	case len(f.Content) == 0:
		return orderly.FileContentInvalid
	case !plainName(f.Name):
		return orderly.FileNameInvalid
	case !filepath.IsAbs(f.Dir) || strings.ContainsRune(f.Dir, 0):
		return orderly.FilePathInvalid
	case !ok:
		return orderly.FileAuthorityInvalid
	}
	return ""
}

// maxNameBytes is how long a name may be on all systems that we know.
const maxNameBytes = 255

// plainName reports whether name is that of a file in a directory, and no way elsewhere.
func plainName(name string) bool {
	return name != "." && filepath.IsLocal(name) && filepath.Base(name) == name && len(name) <= maxNameBytes && !strings.ContainsRune(name, 0)
}

// modeOfFile reads three or four octal digits; "" is 0644.
func modeOfFile(text string) (fs.FileMode, bool) {
	if text == "" {
		text = orderly.DefaultFileMode
	}
	n, err := strconv.ParseUint(text, 8, 12)
	mode := fs.FileMode(n & 0o777)
	for bit, special := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			mode |= special
		}
	}
	return mode, err == nil && (len(text) == 3 || len(text) == 4)
}

// place puts a task's file in its place, within its time, and tells how that went. It runs beside the agent, as
// execute does. A directory may hang, so the work goes on alone when the time is over; but then the file takes
// its place no more.
func (a *Agent) place(t *task, job *wire.Job) {
	p := &placement{file: job.File, temp: a.tempName(t.key)}
	at := time.Now()
	done := make(chan error, 1)
	go func() { done <- p.run(func() { a.post(func() { a.placing(t, at) }) }) }()
	limit := time.NewTimer(milliseconds(job.Timeout))
	defer limit.Stop()
	var err error
	select {
	case err = <-done:
	case <-limit.C:
		if err = errAbandoned; !p.turn.CompareAndSwap(false, true) {
			err = <-done // it is about to be, or is, in its place
		}
	}
	if err != nil {
		a.log.Warn("a file is not in its place", "task", t.key, "error", err)
	}
	a.post(func() { a.exited(t, placed(at, err)) })
}

// placed is the outcome of a placement that began at a time. What could be known beforehand is Invalid, as if it
// had never begun (SF-3).
func placed(at time.Time, err error) outcome {
	o := outcome{State: orderly.Success, begun: at}
	var m *misplacement
	switch {
	case errors.Is(err, errAbandoned):
		o.State, o.Code = orderly.Timeout, orderly.ExecutionTimeout
	case errors.As(err, &m):
		o.State, o.Code = m.state, m.code
	case err != nil:
		o.State, o.Code = orderly.Failed, orderly.FileCreateFail
	}
	if o.State == orderly.Invalid {
		o.begun = time.Time{}
	}
	return o
}

// tempName is what a task's file is called until it is whole. It is found again after a crash, and no other
// task of any agent has it.
func (a *Agent) tempName(o Occurrence) string {
	return ".orderly-" + a.journal.Incarnation()[:10] + "-" + o.name()
}

// steps are what a placement consists of, once it is known that nothing forbids it.
var steps = []func(*placement) error{
	(*placement).create, (*placement).fill, (*placement).own, (*placement).allow, (*placement).flush, (*placement).commit, (*placement).unname, (*placement).settle,
}

// run takes all steps; begun is called when nothing forbids them. However it ends, nothing but the file is left.
func (p *placement) run(begun func()) error {
	if err := p.prepare(); err != nil {
		return err
	}
	defer p.dir.Close() //nolint:errcheck // nothing was written to it
	begun()
	for _, step := range steps {
		if err := step(p); err != nil {
			if p.body != nil {
				_ = p.body.Close()
				_ = p.dir.Remove(p.temp)
			}
			return err
		}
	}
	return nil
}

// prepare finds what forbids to write the file, and makes its directory.
func (p *placement) prepare() (err error) {
	p.mode, _ = modeOfFile(p.file.Mode)
	if p.uid, p.gid, err = ownersOf(p.file); err != nil {
		return err
	}
	if err := makeDir(p.file.Dir); err != nil {
		return pathFault(err)
	}
	if p.dir, err = os.OpenRoot(p.file.Dir); err != nil {
		return pathFault(err)
	}
	if err = p.vacant(); err != nil {
		_ = p.dir.Close()
	}
	return err
}

// vacant finds whether the file may take its place: nothing is there, or a file or link that it replaces.
func (p *placement) vacant() error {
	switch there, err := p.dir.Lstat(p.file.Name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &misplacement{orderly.Failed, orderly.FileCreateFail, err}
	case !p.file.Overwrite:
		return &misplacement{orderly.Invalid, orderly.FileAlreadyExists, fs.ErrExist}
	case !there.Mode().IsRegular() && there.Mode().Type() != fs.ModeSymlink:
		return &misplacement{orderly.Failed, orderly.FileCreateFail, errors.New("what is there is no file")}
	}
	return nil
}

// create makes the file under its first name, for nobody else to read.
func (p *placement) create() (err error) {
	if err := p.dir.Remove(p.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.body, err = p.dir.OpenFile(p.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return err
}

func (p *placement) fill() error {
	_, err := p.body.Write(p.file.Content)
	return err
}

// own gives the file its owners, who cannot reach it yet.
func (p *placement) own() error {
	if p.uid < 0 && p.gid < 0 {
		return nil
	}
	if err := p.body.Chown(p.uid, p.gid); err != nil {
		return &misplacement{orderly.Failed, orderly.FileAuthorityInvalid, err}
	}
	return nil
}

// allow gives the file its mode, after its owner, with whom the special bits would go.
func (p *placement) allow() error {
	if !hasModes {
		return nil
	}
	if err := p.body.Chmod(p.mode); err != nil {
		return &misplacement{orderly.Failed, orderly.FileAuthorityInvalid, err}
	}
	return nil
}

// flush makes the content safe from a power cut before anything points to it.
func (p *placement) flush() error {
	return errors.Join(p.body.Sync(), p.body.Close())
}

// commit puts the file in its place, unless there is no more time.
func (p *placement) commit() error {
	if !p.turn.CompareAndSwap(false, true) {
		return errAbandoned
	}
	if p.file.Overwrite {
		return p.dir.Rename(p.temp, p.file.Name)
	}
	err := p.dir.Link(p.temp, p.file.Name)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist): // somebody was faster
		return &misplacement{orderly.Failed, orderly.FileAlreadyExists, err}
	}
	// The file system has no second names. What somebody else puts there in this moment is replaced.
	if _, err := p.dir.Lstat(p.file.Name); err == nil {
		return &misplacement{orderly.Failed, orderly.FileAlreadyExists, fs.ErrExist}
	}
	return p.dir.Rename(p.temp, p.file.Name)
}

// unname takes the first name away, where the file got the other one beside it.
func (p *placement) unname() error {
	if err := p.dir.Remove(p.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unsettled(err)
	}
	return nil
}

// settle makes the file's place safe from a power cut, where the file system can.
func (p *placement) settle() error {
	d, err := p.dir.Open(".")
	if err == nil {
		err = errors.Join(flushDir(d), d.Close())
	}
	if err != nil {
		return unsettled(err)
	}
	return nil
}

// unsettled is a fault after the file took its place: nobody knows what becomes of it.
func unsettled(err error) error {
	return &misplacement{orderly.Error, orderly.ExecutionInterrupted, err}
}

// makeDir makes a directory with all above it, and makes sure of those that it made.
func makeDir(dir string) error {
	var above []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		above = append(above, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range above {
		f, err := os.Open(d)
		if err != nil {
			return err
		}
		if err := errors.Join(flushDir(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// pathFault tells a directory that cannot be from one that cannot be made.
func pathFault(err error) error {
	for _, wrong := range []error{syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG} {
		if errors.Is(err, wrong) {
			return &misplacement{orderly.Invalid, orderly.FilePathInvalid, err}
		}
	}
	return &misplacement{orderly.Failed, orderly.FileCreateFail, err}
}

// clearPlacements removes what a killed agent has left of files that it was about to put in their place. It
// does not wait for it: a directory may hang.
func (a *Agent) clearPlacements(known []Task) {
	for _, t := range known {
		if t.Phase != Starting && t.Phase != Started || t.Scheduled {
			continue
		}
		file := a.fileOf(t.Key)
		if file == nil {
			continue
		}
		temp := a.tempName(t.Key)
		go func() {
			dir, err := os.OpenRoot(file.Dir)
			if err == nil {
				err = errors.Join(dir.Remove(temp), dir.Close())
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				a.log.Warn("what was written of a file cannot be removed", "task", t.Key, "error", err)
			}
		}()
	}
}

// fileOf is the file of a task that the journal holds, nil when it runs a command.
func (a *Agent) fileOf(o Occurrence) *wire.File {
	data, err := a.job(o)
	if err != nil {
		return nil
	}
	job, err := wire.Decode[wire.Job](data)
	if err != nil {
		return nil
	}
	return job.File
}
