package registration

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestChangedMembers(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Metadata)
		want   []string
	}{
		{"nothing", func(*Metadata) {}, nil},
		{"a string", func(m *Metadata) { m.ClientName = "another" }, []string{"client_name"}},
		{"a list", func(m *Metadata) { m.RedirectURIs = []string{"https://c.example/2"} }, []string{"redirect_uris"}},
		{"its order", func(m *Metadata) { m.Contacts = []string{"b", "a"} }, []string{"contacts"}},
		{"a string that goes", func(m *Metadata) { m.ClientURI = "" }, []string{"client_uri"}},
		{"keys", func(m *Metadata) { m.JWKS = json.RawMessage(`{"keys":[]}`) }, []string{"jwks"}},
		{"the method", func(m *Metadata) { m.TokenEndpointAuthMethod = oauth.AuthNone }, []string{"token_endpoint_auth_method"}},
		{"several", func(m *Metadata) { m.Scope, m.SoftwareID = "a", "b" }, []string{"scope", "software_id"}},
		{"a translation", func(m *Metadata) { m.Localized = map[string]string{"client_name#ja": "another"} }, []string{"client_name"}},
		{"a translation that goes", func(m *Metadata) { m.Localized = nil }, []string{"client_name"}},
		{"a translation that is new", func(m *Metadata) {
			m.Localized = map[string]string{"client_name#ja": "A", "tos_uri#x-secret": "https://c.example/"}
		}, []string{"tos_uri"}},
		{"a member and its translation", func(m *Metadata) { m.ClientName, m.Localized = "", nil }, []string{"client_name"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := Metadata{
				RedirectURIs: []string{"https://c.example/"}, ClientName: "A", ClientURI: "https://c.example/",
				Contacts: []string{"a", "b"}, Localized: map[string]string{"client_name#ja": "A"},
			}
			after := before
			c.change(&after)
			if got := changedMembers(before, after); len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
