package engine

import (
	"encoding/json"

	"github.com/orderly-run/orderly"
)

// rawReport is a report as it is kept for people when it cannot be stored.
func rawReport(r orderly.Report) []byte {
	data, err := json.Marshal(r)
	if err != nil {
		return []byte(err.Error())
	}
	return data
}

// count tells the observer of reports.
func (e *Engine) count(effect string, n int) {
	if f := e.cfg.Observe.Reports; f != nil && n > 0 {
		f(effect, n)
	}
}
