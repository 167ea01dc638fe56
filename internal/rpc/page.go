package rpc

import (
	"strconv"

	"github.com/orderly-run/orderly"
)

// Paging is how a request asks for a part of a list. Its numbers are read here and not as the other
// parameters are, because in places they are to be ignored whatever they are (rules PG-4, PG-8).
type Paging struct {
	PageNumber, PageSize  string
	MaxResults, NextToken string
}

// Paged is how an answer tells which part it holds.
type Paged struct {
	TotalCount int
	PageNumber int
	PageSize   int
	NextToken  string
}

// Sizes of pages (rules PG-2, PG-3, PG-9).
const (
	DefaultSize = 10
	MaxSize     = 50      // of most lists
	maxDepth    = 100_000 // how far page numbers reach
)

// A Cursor is a page that a request asks for.
type Cursor struct {
	key    TokenKey
	scope  Scope
	number int
	size   int
	after  orderly.Place
}

// Cursor reads which page, of at most limit rows, of a list is asked for; tokens go with the scope.
func (k TokenKey) Cursor(p Paging, s Scope, limit int) (Cursor, error) {
	c := Cursor{key: k, scope: s, number: 1}
	if p.MaxResults == "" && p.NextToken == "" {
		return c, c.byNumber(p, limit)
	}
	var err error
	if c.size, err = number(p.MaxResults, DefaultSize, limit, orderly.MaxResultsInvalid); err != nil {
		return c, err
	}
	if p.NextToken != "" {
		c.after, err = k.Open(s, p.NextToken)
	}
	return c, err
}

func (c *Cursor) byNumber(p Paging, limit int) (err error) {
	if c.number, err = number(p.PageNumber, 1, maxDepth, orderly.PageNumberInvalid); err != nil {
		return err
	}
	if c.size, err = number(p.PageSize, DefaultSize, limit, orderly.PageSizeInvalid); err != nil {
		return err
	}
	if c.number*c.size > maxDepth {
		return orderly.PageNumberInvalid // PG-9
	}
	return nil
}

// number reads a number from 1 to limit; "" is the default.
func number(text string, otherwise, limit int, wrong orderly.Reason) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limit {
		return 0, wrong
	}
	return n, nil
}

// Rows is the page as the store reads it: one row more than is shown, which tells whether there
// are more.
func (c Cursor) Rows() orderly.Page {
	return orderly.Page{Limit: c.size + 1, Offset: (c.number - 1) * c.size, After: c.after}
}

// Cut takes the rows that are shown and tells where they stand; total is how many there are in all.
func Cut[T any](c Cursor, rows []T, total int, place func(T) orderly.Place) ([]T, Paged) {
	answer := Paged{TotalCount: total, PageNumber: c.number, PageSize: c.size}
	if len(rows) > c.size {
		rows = rows[:c.size]
		answer.NextToken = c.key.Seal(c.scope, place(rows[c.size-1]))
	}
	return rows, answer
}
