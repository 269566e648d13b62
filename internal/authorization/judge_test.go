package authorization

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// judge judges a request of the user.
func (w *world) judge(tb testing.TB, who *Identity, changes ...string) (Verdict, error) {
	tb.Helper()
	return w.Judge(ctx, w.tenant, w.request(tb, changes...), who)
}

// wantConsent judges a request of the user and checks that they have to be asked.
func (w *world) wantConsent(tb testing.TB, changes ...string) Verdict {
	tb.Helper()
	verdict, err := w.judge(tb, w.user, changes...)
	if err != nil || verdict.Step != StepConsent {
		tb.Fatalf("got step %d, %v", verdict.Step, err)
	}
	return verdict
}

func TestJudgeLogin(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		name    string
		who     *Identity
		changes []string
		want    Step // 0 is login_required.
	}{
		{"no session", nil, nil, StepLogin},
		{"no session, none", nil, []string{"prompt", "none"}, 0},
		{"session", w.user, nil, StepConsent},
		{"session, login", w.user, []string{"prompt", "login"}, StepLogin},
		{"session, select_account", w.user, []string{"prompt", "select_account"}, StepLogin},
		{"session, max_age 0", w.user, []string{"max_age", "0"}, StepLogin},
		{"session, max_age 0, none", w.user, []string{"max_age", "0", "prompt", "none"}, 0},
		{"session older than max_age", w.user, []string{"max_age", "59"}, StepLogin},
		{"session older than max_age, none", w.user, []string{"max_age", "59", "prompt", "none"}, 0},
		{"session as old as max_age", w.user, []string{"max_age", "60"}, StepConsent},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			verdict, err := w.judge(t, c.who, c.changes...)
			if c.want == 0 {
				wantRefusal(t, err, oauth.LoginRequired)
			} else if err != nil {
				t.Fatal(err)
			}
			if verdict.Step != c.want {
				t.Errorf("step %d", verdict.Step)
			}
		})
	}
}

func TestJudgeScope(t *testing.T) {
	w := newWorld(t, func(p *tenant.Policy) {
		p.ScopeRequirements = map[string]tenant.Requirement{"tools": {Groups: []string{"root"}}}
	})
	if verdict := w.wantConsent(t, "scope", "tools openid"); strings.Join(verdict.Scope, " ") != "openid" {
		t.Errorf("scope %v", verdict.Scope)
	}
	_, err := w.judge(t, w.user, "scope", "tools")
	wantRefusal(t, err, oauth.InvalidScope)
	w.tenant.Policy.LoginRequirement = tenant.Requirement{Subjects: []string{"bob"}}
	_, err = w.judge(t, w.user)
	wantRefusal(t, err, oauth.AccessDenied)
}

// TestJudgeConsent: an approval is remembered for what was approved, and for an https
// redirect URI alone.
func TestJudgeConsent(t *testing.T) {
	const approved = "openid email"
	cases := []struct {
		name string
		// change is what happens after the approval.
		change  func(*world)
		changes []string
		want    Step // 0 is consent_required.
	}{
		{"the same", nil, nil, StepApproved},
		{"the same, none", nil, []string{"prompt", "none"}, StepApproved},
		{"less scope", nil, []string{"scope", "email"}, StepApproved},
		{"more scope", nil, []string{"scope", "openid tools"}, StepConsent},
		{"more scope, none", nil, []string{"scope", "openid tools", "prompt", "none"}, 0},
		{"consent demanded", nil, []string{"prompt", "consent"}, StepConsent},
		{"another redirect URI", nil, []string{"redirect_uri", "https://c.example/2"}, StepConsent},
		{"loopback", nil, []string{"redirect_uri", loopback}, StepConsent},
		{"loopback, none", nil, []string{"redirect_uri", loopback, "prompt", "none"}, 0},
		{"private-use", nil, []string{"redirect_uri", app}, StepConsent},
		{"private-use, none", nil, []string{"redirect_uri", app, "prompt", "none"}, 0},
		{"the resource in another spelling", nil, []string{"resource", "https://MCP.example"}, StepApproved},
		{"another resource", nil, []string{"resource", "https://mcp.example/2"}, StepConsent},
		{"no resource", nil, []string{"resource", ""}, StepConsent},
		{"another user", func(w *world) { w.user.User.Subject = "u_bob" }, nil, StepConsent},
		{"another name of the client", func(w *world) { w.client.Metadata.ClientName = "Bank" }, nil, StepConsent},
		{"another redirect URI of the client", func(w *world) { w.client.Metadata.RedirectURIs = []string{redirect} }, nil, StepConsent},
		{"the last moment", func(w *world) { w.clock = began.Add(ConsentLifetime - time.Microsecond) }, nil, StepApproved},
		{"too late", func(w *world) { w.clock = began.Add(ConsentLifetime) }, nil, StepConsent},
		{"disconnected", func(w *world) {
			_ = w.Disconnect(ctx, w.tenant, w.user.User.Subject, w.client.ID, registration.Access{})
		}, nil, StepConsent},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.client.Metadata.RedirectURIs = append(w.client.Metadata.RedirectURIs, "https://c.example/2")
			w.code(t, "scope", approved, "resource", "https://mcp.example/")
			if c.change != nil {
				c.change(w)
			}
			asked := append([]string{"scope", approved, "resource", "https://mcp.example/"}, c.changes...)
			verdict, err := w.judge(t, w.user, asked...)
			if c.want == 0 {
				wantRefusal(t, err, oauth.ConsentRequired)
			} else if err != nil {
				t.Fatal(err)
			}
			if verdict.Step != c.want {
				t.Errorf("step %d", verdict.Step)
			}
		})
	}
}

// TestJudgeSeen: what the user approves is bound to all that they saw.
func TestJudgeSeen(t *testing.T) {
	w := newWorld(t)
	first := w.wantConsent(t).Seen
	if again := w.wantConsent(t, "state", "other", "nonce", "n").Seen; again != first || first == "" {
		t.Errorf("%q became %q", first, again)
	}
	found := map[string]string{first: "the first"}
	distinct := func(name, seen string) {
		t.Helper()
		if other, twice := found[seen]; twice {
			t.Errorf("%s looks like %s", name, other)
		}
		found[seen] = name
	}
	distinct("a port", w.wantConsent(t, "redirect_uri", "http://127.0.0.1:7/cb").Seen)
	distinct("another port", w.wantConsent(t, "redirect_uri", "http://127.0.0.1:8/cb").Seen)
	distinct("a resource", w.wantConsent(t, "resource", "https://mcp.example/").Seen)
	distinct("a scope", w.wantConsent(t, "scope", "openid").Seen)
	distinct("another client", w.wantConsent(t, "client_id", w.register("c_other").ID).Seen)
	w.user.User.Subject = "u_bob"
	distinct("another user", w.wantConsent(t).Seen)
	w.client.Metadata.ClientName = "Bank"
	distinct("another name", w.wantConsent(t).Seen)
}

func TestJudgeStoreFails(t *testing.T) {
	w := newWorld(t)
	r := w.request(t)
	w.store.breakDown("")
	if verdict, err := w.Judge(ctx, w.tenant, r, w.user); !errors.Is(err, errNoDatabase) || verdict.Step != 0 {
		t.Errorf("got %+v, %v", verdict, err)
	}
}

// TestJudgeUnreadableClient: a client that cannot be compared is never taken for approved.
func TestJudgeUnreadableClient(t *testing.T) {
	w := newWorld(t)
	w.code(t)
	w.register(w.client.ID, func(c *registration.Client) { c.Metadata.JWKS = []byte("{") })
	if verdict, err := w.judge(t, w.user); err == nil {
		t.Errorf("got %+v", verdict)
	}
}
