package login

import "testing"

func TestOpenToAnyone(t *testing.T) {
	cases := []struct {
		issuer string
		want   bool
	}{
		{"https://accounts.google.com", true},
		{"https://accounts.google.com/", true},
		{"https://ACCOUNTS.google.com.", true},
		{"https://accounts.google.com:443", true},
		{"https://appleid.apple.com", true},
		{"https://www.facebook.com", true},
		{"https://www.linkedin.com/oauth", true},
		{"https://gitlab.com", true},
		{"https://login.microsoftonline.com/common/v2.0", true},
		{"https://login.microsoftonline.com/organizations/v2.0", true},
		{"https://login.microsoftonline.com/consumers/v2.0", true},
		{"https://login.microsoftonline.com/Common", true},
		{"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", true},
		{"https://login.microsoftonline.us/common/v2.0", true},
		{"https://login.microsoftonline.com/7d6a7c5e-0000-4000-8000-000000000001/v2.0", false},
		{"https://login.microsoftonline.com/example.com/v2.0", false},
		{"https://google.example.com", false},
		{"https://accounts.google.com.evil.example", false},
		{"https://gitlab.example.com", false},
		{"http://localhost:9000", false},
		{"", false},
		{"://", false},
	}
	for _, c := range cases {
		t.Run(c.issuer, func(t *testing.T) {
			if got := OpenToAnyone(c.issuer); got != c.want {
				t.Errorf("OpenToAnyone = %v", got)
			}
		})
	}
}
