package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBrowser lets a real MCP client, a real OpenID Provider and a real browser do what
// they do, with the files of examples/mcp. The scenarios are in testdata/browser.
func TestBrowser(t *testing.T) {
	w := newBrowserWorld(t)
	s := w.start(t)
	for _, name := range s.names {
		t.Run(name, func(t *testing.T) { s.run(t, name) })
	}
}

// browserWorld is what the scenarios find; run.mjs gets it as JSON.
type browserWorld struct {
	// Issuer, Development and Passwords are servers whose users log in at the provider
	// Upstream, with any name, and with a password.
	Issuer      string `json:"issuer"`
	Development string `json:"development"`
	Passwords   string `json:"passwords"`
	Upstream    string `json:"upstream"`
	// Password is that of grace at Passwords.
	Password string `json:"password"`
	// Document is the metadata document of a client of Issuer's.
	Document string `json:"document"`
	// Server is the MCP server.
	Server string `json:"server"`
	// Callback is where client.example is in truth.
	Callback  string `json:"callback"`
	Registrar string `json:"registrar"`
	Chromium  string `json:"chromium"`
	// Screenshots is where pictures of the pages go.
	Screenshots string `json:"screenshots"`

	scenarios string
}

func newBrowserWorld(t *testing.T) *browserWorld {
	t.Helper()
	scenarios, example := installScenarios(t)
	w := &browserWorld{
		Password:    "a moth in a relay",
		Registrar:   buildProgram(t).path,
		Chromium:    findChromium(t),
		Callback:    startCallback(t),
		Screenshots: screenshotFolder(t),
		scenarios:   scenarios,
	}
	w.Upstream = startNode(t, example, "upstream.mjs")
	outside := newElsewhere(t)
	w.Document = outside.documentWithLogo(t)
	w.Issuer = startServerIn(t, outside.network(), map[string]string{
		"REGISTRAR_SCOPES":                 "openid profile email offline_access mcp:tools",
		"REGISTRAR_CONFIG":                 filepath.Join(example, "registrar.yaml"),
		"REGISTRAR_UPSTREAM_ISSUER":        w.Upstream,
		"REGISTRAR_UPSTREAM_CLIENT_ID":     "registrar",
		"REGISTRAR_UPSTREAM_CLIENT_SECRET": "the secret of an example",
	}).URL
	w.Development = startServer(t, nil).URL
	w.Passwords = startServer(t, map[string]string{"REGISTRAR_USERS_FILE": w.usersFile(t)}).URL
	w.Server = startNode(t, example, "server.mjs", w.Issuer)
	return w
}

// documentWithLogo puts up the document of a client on the user's own machine, and its logo.
func (e *elsewhere) documentWithLogo(t *testing.T) string {
	t.Helper()
	metadata := jsonOf(document(docURL, object{
		"client_name": "Documented client", "logo_uri": "https://client.example/logo.png",
		"redirect_uris": []string{"http://127.0.0.1/callback"}, "token_endpoint_auth_method": "none",
	}))
	logo := testLogo(t)
	e.at("client.example", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logo.png" {
			logo(w, r)
			return
		}
		metadata(w, r)
	})
	return docURL
}

// usersFile has one user, grace.
func (w *browserWorld) usersFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	add := exec.Command(w.Registrar, "user", "add", "grace", "--full-name", "Grace Hopper")
	add.Env = []string{"REGISTRAR_USERS_FILE=" + path}
	add.Stdin = strings.NewReader(w.Password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("user add: %v\n%s", err, out)
	}
	return path
}

// installScenarios copies the scenarios and the example to where npm may write, in the
// places that they have towards each other, and returns both.
func installScenarios(t *testing.T) (scenarios, example string) {
	t.Helper()
	root := t.TempDir()
	install := func(folder string) string {
		to := filepath.Join(root, folder)
		copyFiles(t, filepath.Join("..", "..", folder), to)
		runTool(t, to, "npm", "ci", "--prefer-offline", "--ignore-scripts")
		return to
	}
	return install("cmd/registrar/testdata/browser"), install("examples/mcp")
}

// copyFiles copies the files of a folder, and leaves out the folders in it: node_modules,
// where somebody tried the example.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, entry.Name()), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// findChromium returns the browser, by the names that it has in distributions.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("chromium is not on PATH: get it with .ci/test-tools")
	return ""
}

// screenshotFolder is the folder that REGISTRAR_SCREENSHOTS names, or one that goes with
// the test.
func screenshotFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("REGISTRAR_SCREENSHOTS")
	if folder == "" {
		return t.TempDir()
	}
	absolute, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

// startCallback starts the web application of a client, client.example.
func startCallback(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/cb", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!doctype html><title>Client</title>Connected")
	})
	mux.HandleFunc("/onward", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/cb?went=on&"+r.URL.RawQuery, http.StatusFound)
	})
	s := httptest.NewUnstartedServer(mux)
	// The browser says about each connection that nobody vouches for the certificate.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

var listening = regexp.MustCompile(` listens on (\S+)`)

// startNode starts a program of Node.js that says where it listens, and returns that. The
// program ends with the test.
func startNode(t *testing.T, dir string, args ...string) string {
	t.Helper()
	line, err := startPiped(t, dir, args...).out.ReadString('\n')
	found := listening.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("node %v said %q (%v)", args, line, err)
	}
	return found[1]
}

// pipes are the standard input and output of a program.
type pipes struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// startPiped starts a program of Node.js. It ends with the test: by closing its input if
// it reads that, by SIGTERM otherwise.
func startPiped(t *testing.T, dir string, args ...string) pipes {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	complaints := &logBuffer{}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir, cmd.Stderr, cmd.WaitDelay = dir, complaints, 10*time.Second
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	cmd.Cancel = func() error { return errors.Join(in.Close(), cmd.Process.Signal(syscall.SIGTERM)) }
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end()
		_ = cmd.Wait()
		if t.Failed() && complaints.String() != "" {
			t.Logf("%s complained:\n%s", args[0], complaints.tail(30))
		}
	})
	return pipes{in, bufio.NewReader(out)}
}

// browserScenarios is a browser that waits to be told what to do.
type browserScenarios struct {
	pipes
	names []string
}

func (w *browserWorld) start(t *testing.T) *browserScenarios {
	t.Helper()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	s := &browserScenarios{pipes: startPiped(t, w.scenarios, "run.mjs", string(text))}
	s.read(t, &s.names)
	return s
}

func (s *browserScenarios) run(t *testing.T, name string) {
	t.Helper()
	if _, err := fmt.Fprintln(s.in, name); err != nil {
		t.Fatal(err)
	}
	var result struct{ Fault string }
	s.read(t, &result)
	if result.Fault != "" {
		t.Error(result.Fault)
	}
}

func (s *browserScenarios) read(t *testing.T, value any) {
	t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the scenarios ended: %v", err)
	}
	if err := json.Unmarshal([]byte(line), value); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
}
