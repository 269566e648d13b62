package ratelimit

import (
	"testing"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
