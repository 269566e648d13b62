package authorization

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

const documentURL = "https://client.example/oauth/client.json"

// documents is a world in which a client is known by its document.
type documents struct {
	*world
	// document is what stands at documentURL, err what comes instead; fetches counts.
	document Document
	err      error
	fetches  int
}

func newDocuments(tb testing.TB) *documents {
	tb.Helper()
	w := &documents{world: newWorld(tb, func(p *tenant.Policy) { p.MetadataDocuments = tenant.MetadataDocumentsAny })}
	w.document = Document{Metadata: w.client.Metadata, FetchedAt: w.clock}
	w.document.Metadata.ClientName = "Documented"
	w.Document = func(_ context.Context, _ *tenant.Tenant, url string, from netip.Addr) (*Document, error) {
		w.fetches++
		if url != documentURL || from != visitor.From {
			tb.Errorf("%s is fetched for %s", url, from)
		}
		if w.err != nil {
			return nil, w.err
		}
		document := w.document
		return &document, nil
	}
	return w
}

// changed is the document as it is after a change, fetched now.
func (w *documents) changed(change func(*registration.Metadata)) {
	change(&w.document.Metadata)
	w.document.FetchedAt = w.clock
}

func (w *documents) stored(tb testing.TB) *registration.Client {
	tb.Helper()
	client, err := w.store.Find(ctx, w.tenant.ID, documentURL)
	if err != nil && !errors.Is(err, registration.ErrNotFound) {
		tb.Fatal(err)
	}
	return client
}

// redeemed are the tokens for a code that the user approved.
func (w *documents) redeemed(tb testing.TB) *Tokens {
	tb.Helper()
	tokens, err := w.presents(TokenRequest{GrantType: oauth.GrantAuthorizationCode, Code: w.code(tb, "client_id", documentURL), CodeVerifier: verifier})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

func (w *documents) presents(r TokenRequest) (*Tokens, error) {
	r.ClientID, r.By = documentURL, visitor
	return w.Token(ctx, w.tenant, r)
}

func (w *documents) refreshes(tokens *Tokens) (*Tokens, error) {
	return w.presents(TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: tokens.RefreshToken.Reveal()})
}

// TestDocumentClientIsStoredWhenItIsApproved: anyone can bring any URL here.
func TestDocumentClientIsStoredWhenItIsApproved(t *testing.T) {
	w := newDocuments(t)
	r := w.request(t, "client_id", documentURL)
	if r.Client.ID != documentURL || r.Client.Origin != registration.OriginDocument || r.Client.Metadata.ClientName != "Documented" {
		t.Errorf("the client is %+v", r.Client)
	}
	if w.stored(t) != nil {
		t.Error("a visit has stored it")
	}
	tokens := w.redeemed(t)
	c := w.stored(t)
	if c == nil || c.CreatedFrom != visitor.From || c.CreatedAgent != visitor.Agent || !c.DocumentFetchedAt.Equal(w.clock) || c.Version != 1 {
		t.Fatalf("stored %+v", c)
	}
	want := visitor.Act(w.clock, registration.ActorUser("u_alice"), "")
	if len(w.store.acts) != 1 || w.store.acts[0] != want {
		t.Errorf("the trail was told %+v, want %+v", w.store.acts, want)
	}
	if _, err := w.refreshes(tokens); err != nil {
		t.Error(err)
	}
	if w.stored(t).Version != 1 {
		t.Error("the same copy was saved again")
	}
}

func TestDocumentNotToBeUsed(t *testing.T) {
	listed := func(p *tenant.Policy) { p.MetadataDocuments = tenant.MetadataDocumentsListed }
	cases := []struct {
		name, id string
		policy   func(*tenant.Policy)
	}{
		{"off", documentURL, func(p *tenant.Policy) { p.MetadataDocuments = tenant.MetadataDocumentsOff }},
		{"C-09 not listed", documentURL, listed},
		{"no path", "https://client.example", nil},
		{"fragment", documentURL + "#x", nil},
		{"dot segments", "https://client.example/a/../client.json", nil},
		{"http", "http://client.example/oauth/client.json", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newDocuments(t)
			if c.policy != nil {
				c.policy(&w.tenant.Policy)
			}
			_, err := w.Request(ctx, w.tenant, w.params("client_id", c.id), visitor)
			wantLocal(t, err, oauth.InvalidClient)
			_, err = w.Token(ctx, w.tenant, TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: "x", Credentials: Credentials{ClientID: c.id}})
			wantCode(t, err, oauth.InvalidClient)
			if w.fetches != 0 {
				t.Errorf("fetched %d times", w.fetches)
			}
		})
	}
}

// TestStoredClientWins: also of an id that is a URL.
func TestStoredClientWins(t *testing.T) {
	w := newDocuments(t)
	w.register(documentURL, func(c *registration.Client) { c.Metadata.ClientName = "Stored" })
	if r := w.request(t, "client_id", documentURL); r.Client.Metadata.ClientName != "Stored" || w.fetches != 0 {
		t.Errorf("%q after %d fetches", r.Client.Metadata.ClientName, w.fetches)
	}
}

func TestDocumentFaults(t *testing.T) {
	limited := errors.New("too many fetches")
	cases := []struct {
		name string
		err  error
		// visit is what the authorization endpoint says, "fault" an error as it is.
		visit oauth.Code
		says  string
	}{
		{"a rule is broken", &oauth.Error{Code: oauth.InvalidRedirectURI, Description: "redirect_uris: is required"}, oauth.InvalidClient, "redirect_uris: is required"},
		{"it cannot be had", &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "it did not answer"}, oauth.TemporarilyUnavailable, "it did not answer"},
		{"limited", limited, "fault", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newDocuments(t)
			tokens := w.redeemed(t)
			w.err = c.err
			_, err := w.Request(ctx, w.tenant, w.params("client_id", documentURL), visitor)
			if c.visit == "fault" {
				if !errors.Is(err, c.err) {
					t.Fatalf("got %v", err)
				}
			} else if wantLocal(t, err, c.visit); !strings.Contains(err.Error(), c.says) {
				t.Errorf("the developer is told %q", err)
			}

			w.clock = w.clock.Add(24*time.Hour - time.Microsecond)
			if tokens, err = w.refreshes(tokens); err != nil {
				t.Fatalf("the last copy does not serve: %v", err)
			}
			w.clock = w.clock.Add(time.Microsecond)
			_, err = w.refreshes(tokens)
			wantCode(t, err, oauth.TemporarilyUnavailable)

			w.err = nil
			w.changed(func(*registration.Metadata) {})
			if tokens, err = w.refreshes(tokens); err != nil {
				t.Fatalf("after it is back: %v", err)
			}
			w.err = c.err
			if _, err = w.refreshes(tokens); err != nil {
				t.Errorf("the new copy was not kept: %v", err)
			}
		})
	}
	t.Run("never had", func(t *testing.T) {
		w := newDocuments(t)
		w.err = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "down"}
		_, err := w.presents(TokenRequest{GrantType: oauth.GrantAuthorizationCode, Code: "x", CodeVerifier: verifier})
		wantCode(t, err, oauth.TemporarilyUnavailable)
	})
}

// TestDocumentChange: what a user approved was what the document said then.
func TestDocumentChange(t *testing.T) {
	cases := []struct {
		name   string
		change func(*registration.Metadata)
		want   Step
		// told is what the trail is told that changed.
		told string
	}{
		{"nothing", func(*registration.Metadata) {}, StepApproved, ""},
		{"name", func(m *registration.Metadata) { m.ClientName = "Another" }, StepConsent, "client_name"},
		{"redirects", func(m *registration.Metadata) { m.RedirectURIs = append(m.RedirectURIs, "https://c.example/2") }, StepConsent, "redirect_uris"},
		{"keys", func(m *registration.Metadata) { m.JWKS = []byte(`{"keys":[]}`) }, StepConsent, "jwks"},
		{"key address", func(m *registration.Metadata) { m.JWKSURI = "https://c.example/keys" }, StepConsent, "jwks_uri"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newDocuments(t)
			w.code(t, "client_id", documentURL)
			w.clock = w.clock.Add(time.Hour)
			w.changed(c.change)
			verdict, err := w.Judge(ctx, w.tenant, w.request(t, "client_id", documentURL), w.user)
			if err != nil || verdict.Step != c.want {
				t.Errorf("step %d, %v; want %d", verdict.Step, err, c.want)
			}
			want := visitor.Act(w.clock, registration.ActorClient, c.told)
			if acts := w.store.acts; len(acts) != 2 || acts[1] != want {
				t.Errorf("the trail was told %+v, want %+v at last", acts, want)
			}
		})
	}
}

// An older copy, of another replica's cache, does not replace a newer one.
func TestOlderDocument(t *testing.T) {
	w := newDocuments(t)
	w.code(t, "client_id", documentURL)
	w.document.Metadata.ClientName, w.document.FetchedAt = "Older", w.clock.Add(-time.Hour)
	if r := w.request(t, "client_id", documentURL); r.Client.Metadata.ClientName != "Documented" {
		t.Errorf("the client is %q", r.Client.Metadata.ClientName)
	}
}

func TestDocumentClientSuspended(t *testing.T) {
	w := newDocuments(t)
	tokens := w.redeemed(t)
	w.store.clients[key(w.tenant.ID, documentURL)].Status = registration.StatusSuspended
	fetches := w.fetches
	_, err := w.Request(ctx, w.tenant, w.params("client_id", documentURL), visitor)
	wantLocal(t, err, oauth.InvalidClient)
	_, err = w.refreshes(tokens)
	wantCode(t, err, oauth.InvalidClient)
	if w.fetches != fetches {
		t.Error("it was fetched")
	}
}

// Nobody but the document vouches for what it says.
func TestDocumentRefusalIsNotSentAtOnce(t *testing.T) {
	w := newDocuments(t)
	_, err := w.Request(ctx, w.tenant, w.params("client_id", documentURL, "response_type", ""), visitor)
	refusal := wantRefusal(t, err, oauth.InvalidRequest)
	if refusal.AtOnce(w.tenant.Policy, false) {
		t.Error("it is sent at once")
	}
}

func TestLogoURI(t *testing.T) {
	cases := []struct {
		name, id, logo, redirect string
		want                     bool
	}{
		{"redirect host", "c_1", "https://c.example/logo.png", "https://c.example/cb", true},
		{"redirect host in capitals", "c_1", "https://C.EXAMPLE/logo.png", "https://c.example:8443/cb", true},
		{"M-16 foreign host", "c_1", "https://bank.example/logo.png", "https://c.example/cb", false},
		{"host below", "c_1", "https://x.c.example/logo.png", "https://c.example/cb", false},
		{"loopback", "c_1", "https://127.0.0.1/logo.png", "http://127.0.0.1/cb", false},
		{"document host", documentURL, "https://client.example/logo.png", "http://127.0.0.1/cb", true},
		{"neither", documentURL, "https://bank.example/logo.png", "http://127.0.0.1/cb", false},
		{"none", documentURL, "", "https://c.example/cb", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := &registration.Client{ID: c.id, Metadata: registration.Metadata{LogoURI: c.logo, RedirectURIs: []string{c.redirect}}}
			if got := LogoURI(client); got != "" != c.want || c.want && got != c.logo {
				t.Errorf("got %q", got)
			}
		})
	}
}
