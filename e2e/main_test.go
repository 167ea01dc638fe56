package e2e_test

import (
	"os"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
)

func TestMain(m *testing.M) { os.Exit(stage.Main(m)) }
