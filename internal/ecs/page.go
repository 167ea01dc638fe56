package ecs

import (
	"strconv"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// paging is how a request asks for a part of a list. Its numbers are read here and not by rpc,
// because in places they are to be ignored whatever they are (rules PG-4, PG-8).
type paging struct {
	PageNumber, PageSize  string
	MaxResults, NextToken string
}

// paged is how an answer tells which part it holds.
type paged struct {
	TotalCount int
	PageNumber int
	PageSize   int
	NextToken  string
}

// Sizes of pages (rules PG-2, PG-3, PG-9).
const (
	defaultSize = 10
	maxSize     = 50
	maxDepth    = 100_000 // how far page numbers reach
)

// A cursor is a page that a request asks for.
type cursor struct {
	key    TokenKey
	scope  Scope
	number int
	size   int
	after  store.Place
}

// cursor reads which page of a list is asked for; tokens go with the scope.
func (d *Dialect) cursor(p paging, s Scope) (cursor, error) {
	c := cursor{key: d.tokens, scope: s, number: 1}
	if p.MaxResults == "" && p.NextToken == "" {
		return c, c.byNumber(p)
	}
	var err error
	if c.size, err = number(p.MaxResults, defaultSize, maxSize, orderly.MaxResultsInvalid); err != nil {
		return c, err
	}
	if p.NextToken != "" {
		c.after, err = d.tokens.Open(s, p.NextToken)
	}
	return c, err
}

func (c *cursor) byNumber(p paging) (err error) {
	if c.number, err = number(p.PageNumber, 1, maxDepth, orderly.PageNumberInvalid); err != nil {
		return err
	}
	if c.size, err = number(p.PageSize, defaultSize, maxSize, orderly.PageSizeInvalid); err != nil {
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

// rows is the page as the store reads it: one row more than is shown, which tells whether there
// are more.
func (c cursor) rows() store.Page {
	return store.Page{Limit: c.size + 1, Offset: (c.number - 1) * c.size, After: c.after}
}

// cut takes the rows that are shown and tells where they stand; total is how many there are in all.
func cut[T any](c cursor, rows []T, total int, place func(T) store.Place) ([]T, paged) {
	answer := paged{TotalCount: total, PageNumber: c.number, PageSize: c.size}
	if len(rows) > c.size {
		rows = rows[:c.size]
		answer.NextToken = c.key.Seal(c.scope, place(rows[c.size-1]))
	}
	return rows, answer
}
