package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// logging is where the log goes, and what is in it.
type logging struct {
	level slog.Level
	path  string
	size  int64
}

func (l *logging) flags(f *flag.FlagSet) {
	f.TextVar(&l.level, "log-level", slog.LevelInfo, "the least `level` that is logged: debug, info, warn or error")
	f.StringVar(&l.path, "log-file", "", "`file` to log to where no service manager keeps what is written to stderr")
	f.Int64Var(&l.size, "log-size", 10<<20, "how many `bytes` that file and the older ones beside it may have together")
}

// open returns the log, and what ends it.
func (l *logging) open() (*slog.Logger, func() error, error) {
	options := &slog.HandlerOptions{Level: l.level}
	if l.path == "" {
		return slog.New(slog.NewTextHandler(os.Stderr, options)), func() error { return nil }, nil
	}
	file, err := openLog(l.path, l.size)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(slog.NewTextHandler(file, options)), file.Close, nil
}

// logFiles is how many files a log has: the one that is written to and older ones, .1 to .3.
const logFiles = 4

// A logFile is a log of bounded size: a file that has grown to its share becomes the first of the older
// ones, of which the last goes. Anyone may write at any time.
type logFile struct {
	path  string
	share int64

	mu   sync.Mutex
	file *os.File
	size int64
}

// openLog opens a log of at most total bytes, and goes on with what is there.
func openLog(path string, total int64) (*logFile, error) {
	l := &logFile{path: path, share: max(total/logFiles, 1)}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write writes a record, which is not split over two files.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(b)) > l.share {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	return n, err
}

// rotate begins a new file. What cannot be moved aside is emptied: the bound is what a full disk needs most.
func (l *logFile) rotate() error {
	l.file.Close()
	var err error
	for i := logFiles - 1; i > 0 && err == nil; i-- {
		if err = os.Rename(l.older(i-1), l.older(i)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		_ = os.Truncate(l.path, 0) // open says what is wrong
	}
	return l.open()
}

func (l *logFile) older(i int) string {
	if i == 0 {
		return l.path
	}
	return fmt.Sprint(l.path, ".", i)
}

func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
