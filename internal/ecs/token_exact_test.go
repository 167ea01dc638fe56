package ecs_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/orderly-run/orderly"
)

// raw runs a statement on the database beside the store.
func (h *house) raw(statement string, args ...any) {
	h.t.Helper()
	driver, name := "sqlite", "file:"+h.dsn+"?_pragma=busy_timeout(10000)"
	if strings.HasPrefix(h.dsn, "postgres") {
		driver, name = "pgx", h.dsn
	}
	db, err := sql.Open(driver, name)
	must(h.t, err)
	defer func() { must(h.t, db.Close()) }()
	_, err = db.ExecContext(context.Background(), statement, args...)
	must(h.t, err)
}

// TOK-1, ERR-1: a repetition gets its answer whatever has become of what it names, and a token that is
// used for something else is told of as soon as the request's form is right.
func TestRepetitionsAreFoundBeforeWhatTheyName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand).CommandId
		for action, v := range map[string]values{
			"RunCommand": script(id).with("ClientToken", "t"), "InvokeCommand": {"CommandId": command, "InstanceId.1": id, "ClientToken": "t"},
		} {
			first := call[run](h, action, v)
			h.report(id, h.ended(orderly.Success, 0, ""))
			if again := call[run](h, action, v); again != first {
				t.Errorf("%s: %+v, want %+v", action, again, first)
			}
			h.refused(action, v.with("InstanceId.1", "mi-unknown"), 403, "IdempotentParameterMismatch")
			h.refused(action, v.with("DeliveryTimeout", "60"), 403, "IdempotentParameterMismatch") // DLV-1
			h.refused(action, v.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit")
			h.refused(action, v.with("Parameters", "x"), 400, "InvalidParameter.Parameters")
		}
		asked := script(id).with("ClientToken", "u")
		first := call[run](h, "RunCommand", asked)
		call[struct{}](h, "DeregisterManagedInstance", values{"InstanceId": id})
		if again := call[run](h, "RunCommand", asked); again != first {
			t.Errorf("with its instance gone: %+v, want %+v", again, first)
		}
		h.refused("RunCommand", asked.with("ClientToken", "v"), 404, "InvalidInstance.NotFound")
	})
}

// TOK-1: while the first request is still being carried out, its repetition is to come again.
func TestRepetitionOfWhatIsInWork(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked := script(h.online()).with("ClientToken", "t")
		first := call[run](h, "RunCommand", asked)
		h.raw(fmt.Sprintf(`update invocations set building = 1 where id = '%s'`, first.InvokeId)) // as long as tasks are added
		h.refused("RunCommand", asked, 403, "IdempotentProcessing")
		h.raw(fmt.Sprintf(`update invocations set building = 0 where id = '%s'`, first.InvokeId))
		if again := call[run](h, "RunCommand", asked); again != first {
			t.Errorf("afterwards %+v, want %+v", again, first)
		}
	})
}

// TOK-2: a token is of one account, region and operation, and a refused request has not used it.
func TestTokensAreTheirOperationsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand.with("ClientToken", "t")).CommandId
		asked := script(id).with("ClientToken", "t")
		for _, bad := range [][]string{{"Timeout", "86401"}, {"InstanceId.2", "mi-unknown"}, {"Type", "RunBatScript"}, {"RegionId", "mars"}} {
			if a := h.send("RunCommand", "JSON", asked.with(bad...)); a.status == 200 {
				t.Errorf("%v: %s", bad, a.body)
			}
		}
		ran := call[run](h, "RunCommand", asked)
		invoked := call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": id, "ClientToken": "t"})
		stranger := h.as(other)
		theirs := call[run](stranger, "RunCommand", script(stranger.online()).with("ClientToken", "t"))
		beijing := h.instance("i-beijing", account, "cn-beijing")
		there := call[run](h, "RunCommand", script(beijing).with("ClientToken", "t", "RegionId", "cn-beijing"))
		seen := map[string]bool{ran.InvokeId: true, invoked.InvokeId: true, theirs.InvokeId: true, there.InvokeId: true}
		if len(seen) != 4 {
			t.Errorf("invocations %v, want four", seen)
		}
	})
}
