package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The newest records are there, in order and whole, and all files together keep within the bound.
func TestLogKeepsTheNewestWithinItsBound(t *testing.T) {
	const total, records = 4000, 1000
	path := filepath.Join(t.TempDir(), "agent.log")
	var last string
	for half := range 2 { // it goes on after a restart
		l, err := openLog(path, total)
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			last = fmt.Sprintf("record %d of half %d\n", i, half)
			if n, err := l.Write([]byte(last)); n != len(last) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var all []byte
	for _, name := range []string{".3", ".2", ".1", ""} {
		text, err := os.ReadFile(path + name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	if len(all) > total || len(all) < total/2 {
		t.Errorf("%d bytes, want at most %d and most of it", len(all), total)
	}
	lines := strings.SplitAfter(string(all), "\n")
	lines = lines[:len(lines)-1]
	for i, line := range lines {
		if want := fmt.Sprintf("record %d of half 1\n", records-len(lines)+i); line != want {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
	if files, _ := filepath.Glob(path + "*"); len(files) != logFiles {
		t.Errorf("files %q, want %d", files, logFiles)
	}
}

// A record larger than a file's share, and a directory in which nothing can be renamed, lose nobody the log.
func TestLogGoesOnWhereItCannotRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.log")
	if err := os.MkdirAll(path+".1/full", 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(path, 400)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if _, err := l.Write(append(bytes.Repeat([]byte("x"), 60), '\n')); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if _, err := l.Write(bytes.Repeat([]byte("y"), 1000)); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 1000 {
		t.Errorf("%v, %v; want the last record alone", info, err)
	}
}
