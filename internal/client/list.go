package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// A Listing says which list to ask for.
type Listing struct {
	Action string
	Params any      // as of [Client.Call], without those of pages
	Path   []string // where the list stands in the answer, such as Commands, Command
	Limit  int      // objects to get; 0 for all
}

// A List is objects of an answer: what a program knows of each, and all that the server said of it.
type List[T any] struct {
	Items []T
	Raw   []json.RawMessage
	More  bool // there are more than were asked for
}

// Fetch gets a list, page after page.
func Fetch[T any](ctx context.Context, c *Client, l Listing) (list List[T], err error) {
	p := Flatten(l.Params)
	for {
		p["MaxResults"] = strconv.Itoa(maxResults)
		if left := l.Limit - len(list.Raw); l.Limit > 0 {
			p["MaxResults"] = strconv.Itoa(min(left, maxResults))
		}
		var body json.RawMessage
		if err := c.Call(ctx, l.Action, p, &body); err != nil {
			return list, err
		}
		next, err := list.add(body, l.Path)
		if err != nil {
			return list, fmt.Errorf("%s: read the answer: %w", l.Action, err)
		}
		if list.More = next != ""; !list.More || l.Limit > 0 && len(list.Raw) >= l.Limit {
			return list, nil
		}
		if next == p["NextToken"] {
			return list, errors.New("the server gives the same page again")
		}
		p["NextToken"] = next
	}
}

// add takes the objects of one page over and returns the token of the next one.
func (l *List[T]) add(page json.RawMessage, path []string) (next string, err error) {
	for _, name := range path {
		var level map[string]json.RawMessage
		if err := json.Unmarshal(page, &level); err != nil {
			return "", err
		}
		if token := level["NextToken"]; token != nil { // it stands beside the list, or further out
			if err := json.Unmarshal(token, &next); err != nil {
				return "", err
			}
		}
		page = level[name]
	}
	var raw []json.RawMessage
	var items []T
	if page == nil {
		return next, nil
	}
	if err := errors.Join(json.Unmarshal(page, &raw), json.Unmarshal(page, &items)); err != nil {
		return "", err
	}
	l.Raw, l.Items = append(l.Raw, raw...), append(l.Items, items...)
	return next, nil
}
