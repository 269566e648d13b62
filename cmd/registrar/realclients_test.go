package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// clientFixture is what one client in the field sends, and what it must get.
type clientFixture struct {
	Client    string            `json:"client"`
	Source    string            `json:"source"`
	UserAgent string            `json:"user_agent"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	// Expect holds members of the answer where they differ from what was sent, and
	// has_secret, which says whether there is a client_secret.
	Expect object `json:"expect"`
}

func TestRealClientFixtures(t *testing.T) {
	fixtures := clientFixtures(t)
	eachStore(t, func(t *testing.T, s *server) {
		for name, fixture := range fixtures {
			t.Run(name, func(t *testing.T) { fixture.try(t, s) })
		}
	})
}

func clientFixtures(t *testing.T) map[string]clientFixture {
	t.Helper()
	files, err := filepath.Glob("testdata/clients/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in testdata/clients: %v", err)
	}
	fixtures := map[string]clientFixture{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var fixture clientFixture
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&fixture); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		fixtures[strings.TrimSuffix(filepath.Base(file), ".json")] = fixture
	}
	return fixtures
}

func (f clientFixture) try(t *testing.T, s *server) {
	header := f.Headers
	if f.UserAgent != "" {
		header = map[string]string{"User-Agent": f.UserAgent}
		for name, value := range f.Headers {
			header[name] = value
		}
	}
	registered := s.send(t, request{Method: "POST", Path: "/oauth/register", Body: string(f.Body), Header: header})
	if registered.Status != http.StatusCreated {
		t.Fatalf("%s: %s", f.Client, registered)
	}
	f.checkAnswer(t, registered)

	read := s.send(t, request{
		Method: "GET",
		Path:   registered.str(t, "registration_client_uri"),
		Token:  registered.str(t, "registration_access_token"),
	})
	if want := with(registered.Body, object{"client_secret": nil}); !reflect.DeepEqual(read.Body, want) {
		t.Errorf("read back %s\nwant %v", read, want)
	}
}

func (f clientFixture) checkAnswer(t *testing.T, answer reply) {
	t.Helper()
	var sent object
	if err := json.Unmarshal(f.Body, &sent); err != nil {
		t.Fatal(err)
	}
	for member, want := range with(with(sent, f.Expect), object{"has_secret": nil}) {
		if got := answer.Body[member]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", member, got, want)
		}
	}
	if _, hasSecret := answer.Body["client_secret"]; any(hasSecret) != f.Expect["has_secret"] {
		t.Errorf("client_secret present: %v, want %v", hasSecret, f.Expect["has_secret"])
	}
	if origin := f.Headers["Origin"]; origin != "" {
		if allowed := answer.Header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != origin {
			t.Errorf("the page %s may not read the answer: Access-Control-Allow-Origin is %q", origin, allowed)
		}
	}
}

// The MCP TypeScript SDK, in Node under the rules of a browser.
func TestMCPTypeScriptSDK(t *testing.T) {
	dir := installTypeScriptSDK(t)
	eachStore(t, func(t *testing.T, s *server) {
		var results struct{ Issuer, Public, Confidential, Connected string }
		if err := json.Unmarshal(runTool(t, dir, "node", "register.mjs", s.URL), &results); err != nil {
			t.Fatalf("results of register.mjs: %v", err)
		}
		if results.Issuer != s.URL || results.Public == "" || results.Confidential == "" || results.Connected == "" {
			t.Errorf("register.mjs left something out: %+v", results)
		}
	})
}

func installTypeScriptSDK(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/mcp")); err != nil {
		t.Fatal(err)
	}
	runTool(t, dir, "npm", "ci", "--prefer-offline", "--ignore-scripts")
	return dir
}

// runTool runs a program of Node.js and returns what it printed.
func runTool(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not on PATH: install Node.js 20 or newer with npm", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, &out, &complaints)
	}
	return out.Bytes()
}

// goSDKClient is what a client asks for; the answer adds its id, and its secret if it has one.
type goSDKClient struct {
	oauthex.ClientRegistrationMetadata
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret,omitempty"`
}

func TestMCPGoSDK(t *testing.T) {
	clients := map[string]oauthex.ClientRegistrationMetadata{
		"public": {
			RedirectURIs:            []string{"http://127.0.0.1:4711/callback"},
			TokenEndpointAuthMethod: "none",
			GrantTypes:              []string{"authorization_code", "refresh_token"},
			ResponseTypes:           []string{"code"},
			ClientName:              "Go SDK",
			ClientURI:               "https://client.example/",
			Scope:                   "openid offline_access",
			ApplicationType:         "native",
		},
		"confidential": {
			RedirectURIs:            []string{"https://client.example/callback"},
			TokenEndpointAuthMethod: "client_secret_basic",
			GrantTypes:              []string{"authorization_code"},
			ResponseTypes:           []string{"code"},
			ClientName:              "Go SDK",
			ClientURI:               "https://client.example/",
			Scope:                   "openid",
			SoftwareID:              "go-sdk-test",
			SoftwareVersion:         "1",
			ApplicationType:         "web",
		},
	}
	eachStore(t, func(t *testing.T, s *server) {
		for name, metadata := range clients {
			t.Run(name, func(t *testing.T) { tryGoSDK(t, s, metadata) })
		}
		t.Run("refused", func(t *testing.T) { tryGoSDKRefusal(t, s) })
	})
}

func tryGoSDK(t *testing.T, s *server, metadata oauthex.ClientRegistrationMetadata) {
	answers := &lastAnswer{RoundTripper: s.Client.Transport}
	sdk := &http.Client{Transport: answers}
	registered, err := oauthex.RegisterClient(t.Context(), discoverByGoSDK(t, s, sdk), &metadata, sdk)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(registered.ClientRegistrationMetadata, metadata) {
		t.Errorf("registered %+v, want %+v", registered.ClientRegistrationMetadata, metadata)
	}
	if hasSecret := registered.ClientSecret != ""; hasSecret != (metadata.TokenEndpointAuthMethod != "none") {
		t.Errorf("client_secret present: %v", hasSecret)
	}
	if since := time.Since(registered.ClientIDIssuedAt); since < -time.Minute || since > time.Minute {
		t.Errorf("issued %v ago", since)
	}
	manageGoSDKClient(t, s, answers.reply(t), *registered)
}

// discoverByGoSDK returns the registration endpoint.
func discoverByGoSDK(t *testing.T, s *server, sdk *http.Client) string {
	t.Helper()
	metadata, err := auth.GetAuthServerMetadata(t.Context(), s.URL, sdk)
	if err != nil || metadata == nil {
		t.Fatalf("discovery: %+v, %v", metadata, err)
	}
	if metadata.Issuer != s.URL || !strings.HasPrefix(metadata.RegistrationEndpoint, s.URL+"/") {
		t.Fatalf("discovered %+v at %s", metadata, s.URL)
	}
	return metadata.RegistrationEndpoint
}

// manageGoSDKClient reads, updates and deletes the registration (RFC 7592 §2).
func manageGoSDKClient(t *testing.T, s *server, answer reply, registered oauthex.ClientRegistrationResponse) {
	t.Helper()
	manage := func(method string, body any) reply {
		return s.send(t, request{
			Method: method,
			Path:   answer.str(t, "registration_client_uri"),
			Token:  answer.str(t, "registration_access_token"),
			Body:   body,
		})
	}
	want := registered
	want.ClientSecret = ""
	wantGoSDKClient(t, manage(http.MethodGet, nil), want)

	want.ClientName, want.ClientURI = "Renamed", ""
	answer = manage(http.MethodPut, goSDKClient{want.ClientRegistrationMetadata, want.ClientID, registered.ClientSecret})
	wantGoSDKClient(t, answer, want)
	wantGoSDKClient(t, manage(http.MethodGet, nil), want)

	if gone := manage(http.MethodDelete, nil); gone.Status != http.StatusNoContent || gone.Text != "" {
		t.Errorf("delete: %s", gone)
	}
	manage(http.MethodGet, nil).wantError(t, http.StatusUnauthorized, "invalid_token")
}

func wantGoSDKClient(t *testing.T, answer reply, want oauthex.ClientRegistrationResponse) {
	t.Helper()
	var got oauthex.ClientRegistrationResponse
	if err := json.Unmarshal([]byte(answer.Text), &got); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	if answer.Status != http.StatusOK || !reflect.DeepEqual(got, want) {
		t.Errorf("got %s\nwant %+v", answer, want)
	}
}

func tryGoSDKRefusal(t *testing.T, s *server) {
	metadata := oauthex.ClientRegistrationMetadata{RedirectURIs: []string{"javascript:alert(1)"}}
	_, err := oauthex.RegisterClient(t.Context(), discoverByGoSDK(t, s, s.Client), &metadata, s.Client)
	var refused *oauthex.ClientRegistrationError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_redirect_uri" || refused.ErrorDescription == "" {
		t.Errorf("got %v, want invalid_redirect_uri with a description", err)
	}
}

// lastAnswer keeps the last answer: the SDK drops the members of RFC 7592 §3.
type lastAnswer struct {
	http.RoundTripper
	status int
	text   []byte
}

func (l *lastAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if l.text, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	l.status = response.StatusCode
	response.Body = io.NopCloser(bytes.NewReader(l.text))
	return response, nil
}

func (l *lastAnswer) reply(t *testing.T) reply {
	t.Helper()
	answer := reply{Status: l.status, Text: string(l.text)}
	if err := json.Unmarshal(l.text, &answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer
}
