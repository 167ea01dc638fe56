package console_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/console"
	"github.com/orderly-run/orderly/internal/store"
)

var named = regexp.MustCompile(`<a class="main-link"[^>]*><bdi>([^<]*)</bdi>`)

// rows are the names in a page's table, in order.
func rows(page string) string {
	var list []string
	for _, m := range named.FindAllStringSubmatch(page, -1) {
		list = append(list, m[1])
	}
	return strings.Join(list, " ")
}

// The table of machines is sorted and filtered by its URL, and a page goes on where the one before ended.
func TestMachinesOfAnInvocationAreSortedAndFiltered(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var on []string
		for _, name := range []string{"web-b", "web-c", "web-a", "db-a"} {
			on = append(on, h.machine(h.mine, name))
		}
		v := h.ran(h.mine, "true", on...)
		h.end(v, 0, orderly.Success, 0, "")
		h.end(v, 1, orderly.Failed, 7, "")
		h.end(v, 2, orderly.Failed, 3, "")
		b, at := h.in(h.mine), root+"invocations/"+v.ID
		for query, want := range map[string]string{
			"": "web-b web-c web-a db-a", "?sort=name": "db-a web-a web-b web-c", "?sort=name&dir=desc": "web-c web-b web-a db-a", "?sort=exit&dir=desc": "web-c web-a web-b db-a",
			"?show=failed": "web-c web-a", "?show=failed&sort=exit": "web-a web-c", "?show=live": "db-a", "?q=WEB": "web-b web-c web-a", "?sort=name&after=0": "web-c", "?q=nobody": "",
		} {
			if got := rows(b.page(at + query)); got != want {
				t.Errorf("%s shows %q, want %q", query, got, want)
			}
		}
	})
}

// Ten thousand machines are as many pages, not one.
func TestLongTablesComeInPages(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	var on []string
	for n := range 60 {
		on = append(on, h.machine(h.mine, fmt.Sprintf("web-%02d", n)))
	}
	v := h.ran(h.mine, "true", on...)
	b := h.in(h.mine)
	first := b.page(root + "invocations/" + v.ID)
	next := regexp.MustCompile(`href="([^"]*after=\d+)">Next`).FindStringSubmatch(first)
	if next == nil || strings.Count(rows(first), "web-") != 50 || !strings.Contains(first, "60 machines in all") {
		t.Fatalf("the first page shows %q and goes on at %v", rows(first), next)
	}
	if second := b.page(strings.ReplaceAll(next[1], "&amp;", "&")); strings.Count(rows(second), "web-") != 10 || !strings.HasSuffix(rows(second), "web-59") {
		t.Errorf("the second page shows %q", rows(second))
	}
}

// What the fleet is filtered by is in the URL, and tags lead to it.
func TestFleetIsFilteredByItsURL(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		role := func(v string) orderly.Tag { return orderly.Tag{Key: "role", Value: v} }
		h.machine(h.mine, "web-1", role("web"), orderly.Tag{Key: "env", Value: "prod"})
		h.machine(h.mine, "web-2", role("web"))
		h.machine(h.mine, "db-1", role("db"))
		b := h.in(h.mine)
		page := b.page(root + "fleet")
		if chip := `href="` + root + `fleet?tag=role%3Dweb"`; !strings.Contains(page, chip) {
			t.Errorf("the fleet has no link %s", chip)
		}
		for query, want := range map[string]string{
			"": "db-1 web-2 web-1", "?tag=role%3Dweb": "web-2 web-1", "?tag=role%3Dweb&tag=env%3Dprod": "web-1", "?q=DB": "db-1", "?state=online": "db-1 web-2 web-1",
			"?state=offline": "", "?os=windows": "", "?tag=" + url.QueryEscape("role=none"): "",
		} {
			if got := rows(b.page(root + "fleet" + query)); got != want {
				t.Errorf("%s shows %q, want %q", query, got, want)
			}
		}
		if one := b.page(root + "fleet?tag=role%3Dweb"); !strings.Contains(one, "orderly instance list --tag role=web") || !strings.Contains(one, "Tag.1.Key=role Tag.1.Value=web") {
			t.Error("the page does not say how the command line and the API filter like this")
		}
	})
}

// The chart of the fleet tells in words too who was online.
func TestFleetShowsWhoWasOnline(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.in(h.mine)
		if page := b.page(root + "fleet"); strings.Contains(page, "<figure") {
			t.Error("an empty fleet has a chart of nobody")
		}
		h.machine(h.mine, "web-1")
		h.machine(h.mine, "web-2")
		must(t, h.db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
			o := store.Owner{Account: h.mine.Account, Region: region}
			for ago, online := range map[time.Duration]int{3 * time.Hour: 2, 2 * time.Hour: 0, time.Hour: 1} {
				if err := tx.AddCensus(tx.Now.Add(-ago), []store.CensusOf{{Owner: o, Census: store.Census{Machines: 2, Online: online}}}, 24*time.Hour); err != nil {
					return err
				}
			}
			return nil
		}))
		if page := b.page(root + "fleet"); !strings.Contains(page, `aria-label="Machines online over the last 3 h: between 0 and 2, now 2 of 2"`) {
			t.Errorf("the chart is not told: %s", page)
		}
	})
}

// Each page tells how the command line and, where there is an operation, the API do the same.
func TestPagesTellTheCommandLine(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	paths, _ := h.paths()
	b := h.in(h.mine)
	for _, p := range paths {
		if strings.HasSuffix(p, "/live") {
			continue
		}
		page := b.page(root + p)
		_, same, _ := strings.Cut(page, `<section class="same"`)
		if !strings.Contains(same, "<code>orderly ") || !strings.HasPrefix(p, "keys") && !strings.Contains(same, "<code>orderly api ") {
			t.Errorf("%s does not tell: %s", p, same)
		}
	}
}
