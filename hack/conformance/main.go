// Command conformance prints, for each item of the published API and each rule of its behaviour,
// the test that pins it. See docs/conformance.md.
//
//	go run ./hack/conformance [-brief] [-update]
//
// It fails when an item that has to be pinned is not, and does not stand in conformance/missing.txt
// either; and when a list says something that is no longer so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	update := flag.Bool("update", false, "write the lists of items, and of those that are missing, in place of comparing them")
	brief := flag.Bool("brief", false, "print the totals only")
	flag.Parse()
	var details io.Writer = os.Stdout
	if *brief {
		details = io.Discard
	}
	if err := run(ctx, details, *update); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// run reports on the repository in the working directory: each item to details, the totals to
// standard output.
func run(ctx context.Context, details io.Writer, update bool) error {
	items, err := readItems(update)
	if err != nil {
		return err
	}
	r := &report{items: items}
	if r.later, err = readReasons("later.txt"); err != nil {
		return err
	}
	if r.exempt, err = readReasons("exempt.txt"); err != nil {
		return err
	}
	if r.pins, err = findPins(ctx, r.counted()); err != nil {
		return err
	}
	if err := r.print(details); err != nil {
		return err
	}
	fmt.Println(r.totals())
	return errors.Join(r.checkMissing(update), r.checkReasons())
}
