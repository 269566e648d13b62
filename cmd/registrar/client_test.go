package main

import (
	"io"
	"strings"
	"testing"
)

func TestClientStatus(t *testing.T) {
	s := startServer(t, nil)
	ids := []string{s.public(t, callback).str(t, "client_id"), s.public(t, callback).str(t, "client_id")}
	environ := []string{"REGISTRAR_DATABASE_URL=" + s.Database, "REGISTRAR_SECRET_KEY=" + secretKey}
	cases := []struct {
		name, verb string
		ids        []string
		out, fault string
	}{
		{"suspend two", "suspend", ids, ids[0] + " is suspended\n" + ids[1] + " is suspended\n", ""},
		{"suspend again", "suspend", ids[:1], ids[0] + " is suspended\n", ""},
		{"one that is not known", "approve", []string{"c_none", ids[0]}, ids[0] + " is active\n", "c_none: no such client"},
		{"none", "suspend", nil, "", "requires at least 1 arg"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), append([]string{"client", c.verb}, c.ids...), environ, &out, io.Discard)
			if out.String() != c.out || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%q, %v; want %q, %q", out.String(), err, c.out, c.fault)
			}
		})
	}
}
