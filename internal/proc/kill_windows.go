package proc

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// lastBreath is how long the processes of a job may take to be gone after they were killed.
const lastBreath = 10 * time.Second

// begin starts the process, in a job of its own if it is to be killed with its descendants. It starts
// suspended, so that it has no child before it is in the job.
func (p *Process) begin() error {
	if !p.spec.KillTree {
		return p.cmd.Start()
	}
	p.cmd.SysProcAttr.CreationFlags |= windows.CREATE_SUSPENDED
	if err := p.cmd.Start(); err != nil {
		return err
	}
	err := p.tree.join(p.cmd.Process)
	if err == nil {
		err = resume(p.PID())
	}
	if err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // that it was killed is no news
		p.tree.release(nil)
	}
	return err
}

// A tree is a job. It ends with whoever started it, even if that is killed; what is left in it when its process
// has ended is released before, and goes on.
type tree struct {
	job windows.Handle // 0 without one
}

func (t *tree) join(p *os.Process) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return fmt.Errorf("create a job: %w", err)
	}
	t.job = job
	if err := t.limit(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE); err != nil {
		return err
	}
	assigned := errors.ErrUnsupported
	err = p.WithHandle(func(h uintptr) { assigned = windows.AssignProcessToJobObject(job, windows.Handle(h)) })
	if err = errors.Join(err, assigned); err != nil {
		return fmt.Errorf("assign a process to its job: %w", err)
	}
	return nil
}

// limit sets the limits of a job, which has no others.
func (t *tree) limit(flags uint32) error {
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = flags
	_, err := windows.SetInformationJobObject(t.job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		return fmt.Errorf("limit a job: %w", err)
	}
	return nil
}

// resume lets a process run that was started suspended. It has one thread, and perhaps those that a virus scanner has
// put there, which run.
func resume(pid int) error {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(list)
	found := false
	e := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(list, &e); err == nil; err = windows.Thread32Next(list, &e) {
		if e.OwnerProcessID != uint32(pid) {
			continue
		}
		if err := resumeThread(e.ThreadID); err != nil {
			return fmt.Errorf("resume a thread of process %d: %w", pid, err)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("find the thread of process %d: %w", pid, err)
	}
	return nil
}

func resumeThread(id uint32) error {
	thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, id)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(thread)
	_, err = windows.ResumeThread(thread)
	return err
}

// kill kills everybody in the job, and waits until they are gone: the system takes its time for it.
func (t *tree) kill(p *Process) error {
	if err := windows.TerminateJobObject(t.job, killedCode); err != nil {
		return fmt.Errorf("terminate the job of process %d: %w", p.PID(), err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(lastBreath); ; <-tick.C {
		n, err := t.population()
		if err != nil || n == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the job of process %d still has %d processes", p.PID(), n)
		}
	}
}

// accounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type accounting struct {
	UserTime, KernelTime, PeriodUserTime, PeriodKernelTime int64
	PageFaults, Total, Active, Terminated                  uint32
}

// population is how many processes are in the job.
func (t *tree) population() (uint32, error) {
	var a accounting
	err := windows.QueryInformationJobObject(t.job, windows.JobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&a)), uint32(unsafe.Sizeof(a)), nil)
	if err != nil {
		return 0, fmt.Errorf("count the processes of a job: %w", err)
	}
	return a.Active, nil
}

func (t *tree) release(*Cgroups) {
	if t.job == 0 {
		return
	}
	_ = t.limit(0)                 // who is left in it goes on
	_ = windows.CloseHandle(t.job) // it ends with its last process
}

// killDescendants kills a process and all that it started, as far as they can be found from it: a process tells
// who started it, but not who started those before. It looks until there is nobody new.
func killDescendants(pid int) error {
	f := family{}
	defer f.leave()
	if err := f.end(uint32(pid)); err != nil {
		return err
	}
	for {
		n := len(f)
		if err := f.endChildren(); err != nil || len(f) == n {
			return err
		}
	}
}

// A family is of processes that were killed. While we hold them the system gives their numbers to nobody else.
type family map[uint32]relative

type relative struct {
	handle  windows.Handle
	started uint64
}

func (f family) leave() {
	for _, r := range f {
		_ = windows.CloseHandle(r.handle)
	}
}

// end kills a process, waits until it is gone, so that it can start nobody any more, and takes it into the family.
func (f family) end(pid uint32) error {
	h, err := windows.OpenProcess(windows.PROCESS_TERMINATE|windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, pid)
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		return nil // it is gone, and who holds it knows its number
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	started, err := created(h)
	if err != nil {
		_ = windows.CloseHandle(h)
		return fmt.Errorf("find when process %d started: %w", pid, err)
	}
	f[pid] = relative{handle: h, started: started}
	killed := windows.TerminateProcess(h, killedCode) // it fails for one that has ended
	event, err := windows.WaitForSingleObject(h, uint32(lastBreath/time.Millisecond))
	switch {
	case err != nil:
		return fmt.Errorf("await the end of process %d: %w", pid, err)
	case event != windows.WAIT_OBJECT_0:
		return errors.Join(fmt.Errorf("process %d does not end", pid), killed)
	}
	return nil
}

// endChildren kills whom the family has started.
func (f family) endChildren() error {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer windows.CloseHandle(list)
	e := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(list, &e); err == nil; err = windows.Process32Next(list, &e) {
		parent, ours := f[e.ParentProcessID]
		if _, known := f[e.ProcessID]; known || !ours {
			continue
		}
		if started, err := startTime(int(e.ProcessID)); err != nil || started < parent.started {
			continue // it is gone, or the child of somebody who had that number before
		}
		if err := f.end(e.ProcessID); err != nil {
			return err
		}
	}
	return nil
}
