package tenant

import "testing"

func TestHostPolicy(t *testing.T) {
	cases := []struct {
		name        string
		allow, deny Hosts
		host        string
		want        bool
	}{
		{"no lists", nil, nil, "a.example", true},
		{"allowed", Hosts{"a.example"}, nil, "a.example", true},
		{"letter case", Hosts{"A.example"}, nil, "a.EXAMPLE", true},
		{"not allowed", Hosts{"a.example"}, nil, "b.example", false},
		{"below one that is allowed", Hosts{"a.example"}, nil, "x.a.example", false},
		{"below a pattern", Hosts{"*.a.example"}, nil, "x.y.A.example", true},
		{"the top of a pattern", Hosts{"*.a.example"}, nil, "a.example", false},
		{"ends like a pattern", Hosts{"*.a.example"}, nil, "xa.example", false},
		{"nothing below", Hosts{"*.a.example"}, nil, ".a.example", false},
		{"denied", nil, Hosts{"a.example"}, "a.example", false},
		{"denied, and allowed", Hosts{"*.example"}, Hosts{"*.a.example"}, "x.a.example", false},
		{"another is denied", nil, Hosts{"a.example"}, "b.example", true},
		{"no host", Hosts{"a.example"}, nil, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := (HostPolicy{c.allow, c.deny}).Admit(c.host); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestAdmitsDocument(t *testing.T) {
	listed := Hosts{"a.example"}
	cases := []struct {
		name   string
		policy Policy
		want   bool
	}{
		{"any", Policy{MetadataDocuments: MetadataDocumentsAny}, true},
		{"off", Policy{MetadataDocuments: MetadataDocumentsOff, MetadataDocumentHosts: listed}, false},
		{"not said", Policy{MetadataDocumentHosts: listed}, false},
		{"listed", Policy{MetadataDocuments: MetadataDocumentsListed, MetadataDocumentHosts: listed}, true},
		{"not listed", Policy{MetadataDocuments: MetadataDocumentsListed}, false},
		{"denied", Policy{MetadataDocuments: MetadataDocumentsAny, RedirectHosts: HostPolicy{Deny: listed}}, false},
		{"no redirect host", Policy{MetadataDocuments: MetadataDocumentsAny, RedirectHosts: HostPolicy{Allow: Hosts{"b.example"}}}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.policy.AdmitsDocument("a.example"); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
