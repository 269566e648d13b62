package httpapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates by name. Each fills in the frame of layout.html.
var pages = parsePages("account", "consent", "docs", "error", "login", "refusal")

func parsePages(names ...string) map[string]*template.Template {
	parsed := map[string]*template.Template{}
	for _, name := range names {
		parsed[name] = template.Must(template.ParseFS(pageFiles, "pages/layout.html", "pages/"+name+".html"))
	}
	return parsed
}

// pagePolicy lets a page have its own style sheet, a logo from here, and nothing else. It says nothing of
// form-action, which browsers hold against where a form is sent on to as well: an approval
// ends at a client's redirect URI, and some of those go on to a scheme of an application.
var pagePolicy = "default-src 'none'; img-src 'self'; style-src '" + hashSource(styleSheet()) + "'; base-uri 'none'; frame-ancestors 'none'"

// styleSheet is the style sheet of the layout, as browsers hash it.
func styleSheet() string {
	layout, err := pageFiles.ReadFile("pages/layout.html")
	if err != nil {
		panic(err)
	}
	_, behind, _ := strings.Cut(string(layout), "<style>")
	style, _, _ := strings.Cut(behind, "</style>")
	return style
}

// hashSource names inline content in a content security policy (CSP Level 3 §2.3.1).
func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// frame is what every page is rendered with.
type frame struct {
	// Issuer leads every link.
	Issuer string
	// Private pages are about one person; search engines and the like stay out.
	Private bool
	View    any
}

// page renders a page for the person at the browser, which no cache may keep.
func (s *server) page(status int, name string, view any) (response, error) {
	var rendered bytes.Buffer
	if err := pages[name].Execute(&rendered, frame{Issuer: s.Tenant.Issuer, Private: true, View: view}); err != nil {
		return nil, err
	}
	return htmlAnswer(status, uncached, rendered.Bytes()), nil
}

// publicPage renders a page that is the same for everyone.
func (s *server) publicPage(name string, view any) (response, error) {
	var rendered bytes.Buffer
	if err := pages[name].Execute(&rendered, frame{Issuer: s.Tenant.Issuer, View: view}); err != nil {
		return nil, err
	}
	return htmlAnswer(http.StatusOK, cached, rendered.Bytes()), nil
}

func cached(h http.Header) { h.Set("Cache-Control", cacheable) }

func htmlAnswer(status int, cache func(http.Header), body []byte) response {
	return func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		cache(h)
		h.Set("Content-Security-Policy", pagePolicy)
		// With no-referrer, browsers send our own forms with the origin null.
		h.Set("Referrer-Policy", "same-origin")
		w.WriteHeader(status)
		_, err := w.Write(body)
		return err
	}
}
