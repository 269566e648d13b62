package authorization

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

const secret credential.Secret = "rgs_secret"

func withMethod(method oauth.AuthMethod, changes ...func(*registration.Client)) func(*registration.Client) {
	return func(c *registration.Client) {
		c.Metadata.TokenEndpointAuthMethod = method
		if method.UsesSecret() {
			c.SecretDigest = secret.Digest()
		}
		for _, change := range changes {
			change(c)
		}
	}
}

func defaulted(c *registration.Client) { c.AuthMethodDefaulted = true }

func basic(id string, s credential.Secret) *Basic { return &Basic{ID: id, Secret: s} }

func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	w.register("c_basic", withMethod(oauth.AuthClientSecretBasic))
	w.register("c_post", withMethod(oauth.AuthClientSecretPost))
	w.register("c_any", withMethod(oauth.AuthClientSecretBasic, defaulted))
	w.register("c_anypost", withMethod(oauth.AuthClientSecretPost, defaulted))
	w.register("c_jwt", withMethod(oauth.AuthPrivateKeyJWT))
	w.register("c_defaultpublic", withMethod(oauth.AuthNone, defaulted))
	w.register("c_lost", withMethod(oauth.AuthClientSecretBasic, func(c *registration.Client) { c.SecretDigest = nil }))
	cases := []struct {
		name  string
		given Credentials
		code  oauth.Code // Empty is success.
	}{
		{"public", Credentials{ClientID: "c_public"}, ""},
		{"public, defaulted", Credentials{ClientID: "c_defaultpublic"}, ""},
		{"public with a secret", Credentials{ClientID: "c_public", ClientSecret: secret}, oauth.InvalidClient},
		{"public by basic", Credentials{Basic: basic("c_public", "")}, oauth.InvalidClient},
		{"public, defaulted, with a secret", Credentials{ClientID: "c_defaultpublic", ClientSecret: secret}, oauth.InvalidClient},
		{"basic", Credentials{Basic: basic("c_basic", secret)}, ""},
		{"basic beside the same client_id", Credentials{ClientID: "c_basic", Basic: basic("c_basic", secret)}, ""},
		{"basic beside another client_id", Credentials{ClientID: "c_public", Basic: basic("c_basic", secret)}, oauth.InvalidRequest},
		{"basic, wrong secret", Credentials{Basic: basic("c_basic", "rgs_wrong")}, oauth.InvalidClient},
		{"basic, no secret", Credentials{Basic: basic("c_basic", "")}, oauth.InvalidClient},
		{"basic, secret lost", Credentials{Basic: basic("c_lost", "")}, oauth.InvalidClient},
		{"basic, as public", Credentials{ClientID: "c_basic"}, oauth.InvalidClient},
		{"basic, by post", Credentials{ClientID: "c_basic", ClientSecret: secret}, oauth.InvalidClient},
		{"post", Credentials{ClientID: "c_post", ClientSecret: secret}, ""},
		{"post, wrong secret", Credentials{ClientID: "c_post", ClientSecret: "x"}, oauth.InvalidClient},
		{"post, by basic", Credentials{Basic: basic("c_post", secret)}, oauth.InvalidClient},
		{"defaulted, by basic", Credentials{Basic: basic("c_any", secret)}, ""},
		{"defaulted, by post", Credentials{ClientID: "c_any", ClientSecret: secret}, ""},
		{"defaulted, by post, wrong secret", Credentials{ClientID: "c_any", ClientSecret: "x"}, oauth.InvalidClient},
		{"defaulted to post, by basic", Credentials{Basic: basic("c_anypost", secret)}, ""},
		{"defaulted, as public", Credentials{ClientID: "c_any"}, oauth.InvalidClient},
		{"private_key_jwt, as public", Credentials{ClientID: "c_jwt"}, oauth.InvalidClient},
		{"private_key_jwt, by post", Credentials{ClientID: "c_jwt", ClientSecret: secret}, oauth.InvalidClient},
		{"A-09 unknown", Credentials{ClientID: "c_unknown"}, oauth.InvalidClient},
		{"A-09 unknown, by basic", Credentials{Basic: basic("c_unknown", secret)}, oauth.InvalidClient},
		{"nobody", Credentials{}, oauth.InvalidClient},
		{"nobody, with a secret", Credentials{ClientSecret: secret}, oauth.InvalidClient},
		{"nobody, by basic", Credentials{Basic: basic("", "")}, oauth.InvalidClient},
		{"id with NUL", Credentials{Basic: basic("c_basic\x00", secret)}, oauth.InvalidClient},
		{"basic and post", Credentials{ClientID: "c_basic", ClientSecret: secret, Basic: basic("c_basic", secret)}, oauth.InvalidRequest},
		{"basic and assertion", Credentials{Basic: basic("c_basic", secret), Assertion: "x"}, oauth.InvalidRequest},
		{"post and assertion type", Credentials{ClientID: "c_post", ClientSecret: secret, AssertionType: assertionType}, oauth.InvalidRequest},
		{"all three", Credentials{ClientSecret: secret, Basic: basic("c_basic", secret), Assertion: "x"}, oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, err := w.authenticate(ctx, w.tenant, c.given)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Fatal(err)
			}
			if (client != nil) != (c.code == "") {
				t.Errorf("got %+v", client)
			}
			id, _ := c.given.named()
			if client != nil && client.ID != id {
				t.Errorf("authenticated as %s", client.ID)
			}
		})
	}
}

// TestAuthenticateTellsNothing: an unknown client and a wrong secret get one answer.
func TestAuthenticateTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.register("c_basic", withMethod(oauth.AuthClientSecretBasic))
	_, unknown := w.authenticate(ctx, w.tenant, Credentials{Basic: basic("c_unknown", secret)})
	_, wrong := w.authenticate(ctx, w.tenant, Credentials{Basic: basic("c_basic", "rgs_wrong")})
	if unknown.Error() != wrong.Error() || strings.Contains(wrong.Error(), "rgs_") {
		t.Errorf("%v\n%v", unknown, wrong)
	}
}

func TestAuthenticateStoreFails(t *testing.T) {
	w := newWorld(t)
	w.store.breakDown("")
	if _, err := w.authenticate(ctx, w.tenant, Credentials{ClientID: "c_public"}); !errors.Is(err, errNoDatabase) {
		t.Errorf("got %v", err)
	}
}
