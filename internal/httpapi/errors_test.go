package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
)

func TestAnswerTo(t *testing.T) {
	exceeded := &ratelimit.Exceeded{Policy: "registration", Decision: ratelimit.Decision{RetryAfter: 1500 * time.Millisecond}}
	cases := map[string]struct {
		err    error
		status int
		code   oauth.Code
		retry  int
	}{
		"invalid request":    {&oauth.Error{Code: oauth.InvalidRequest}, 400, oauth.InvalidRequest, 0},
		"redirect URI":       {&oauth.Error{Code: oauth.InvalidRedirectURI}, 400, oauth.InvalidRedirectURI, 0},
		"metadata":           {&oauth.Error{Code: oauth.InvalidClientMetadata}, 400, oauth.InvalidClientMetadata, 0},
		"no token":           {oauth.ErrTokenMissing, 401, oauth.InvalidToken, 0},
		"wrong token":        {oauth.ErrTokenInvalid, 401, oauth.InvalidToken, 0},
		"outage":             {&oauth.Error{Code: oauth.TemporarilyUnavailable}, 503, oauth.TemporarilyUnavailable, retrySeconds},
		"wrapped":            {fmt.Errorf("while: %w", oauth.ErrTokenInvalid), 401, oauth.InvalidToken, 0},
		"limit":              {fmt.Errorf("while: %w", exceeded), 429, oauth.RateLimitExceeded, 2},
		"too large":          {fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 1}), 413, oauth.InvalidRequest, 0},
		"no such path":       {echo.ErrNotFound, 404, oauth.InvalidRequest, 0},
		"no such method":     {echo.ErrMethodNotAllowed, 405, oauth.InvalidRequest, 0},
		"media type":         {wrongType(mimeJSON), 415, oauth.InvalidRequest, 0},
		"took too long":      {fmt.Errorf("query: %w", context.DeadlineExceeded), 503, oauth.TemporarilyUnavailable, retrySeconds},
		"client went away":   {context.Canceled, 503, oauth.TemporarilyUnavailable, retrySeconds},
		"anything else":      {errors.New("secret detail"), 500, oauth.ServerError, 0},
		"router's own fault": {echo.NewHTTPError(http.StatusTeapot, "secret detail"), 500, oauth.ServerError, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := answerTo(c.err)
			if got.status != c.status || got.code != c.code || got.retry != c.retry {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(got.description, "secret detail") {
				t.Errorf("told: %s", got.description)
			}
		})
	}
}

// TestEveryCodeIsKnown holds the vocabulary, the statuses, the contract and the pages together.
func TestEveryCodeIsKnown(t *testing.T) {
	c, err := loadContract(exampleIssuer, false)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(c.yaml)
	if err != nil {
		t.Fatal(err)
	}
	declared := doc.Components.Schemas["ErrorCode"].Value.Enum
	if len(declared) != len(statuses) || len(errorDocs) != len(statuses) {
		t.Errorf("%d codes in the contract, %d statuses, %d pages", len(declared), len(statuses), len(errorDocs))
	}
	for code, status := range statuses {
		if !api.ErrorCode(code).Valid() {
			t.Errorf("%s is not in the contract", code)
		}
		for _, page := range errorDocs {
			if page.Code == code && page.Status != status {
				t.Errorf("%s: the page says %d", code, page.Status)
			}
		}
	}
}

func TestContractIsValid(t *testing.T) {
	for name, enveloped := range map[string]bool{"bare": false, "enveloped": true} {
		t.Run(name, func(t *testing.T) {
			c, err := loadContract("https://auth.example/t1", enveloped)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := openapi3.NewLoader().LoadFromData(c.json)
			if err != nil {
				t.Fatal(err)
			}
			if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
				t.Error(err)
			}
			if strings.Contains(string(c.yaml), exampleIssuer) || doc.Servers[0].URL != "https://auth.example/t1" {
				t.Error("the contract names another server")
			}
		})
	}
}

func TestWantsEnvelope(t *testing.T) {
	const envelope = envelopeType
	cases := map[string]struct {
		accept string
		want   bool
	}{
		"nothing":             {"", false},
		"anything":            {"*/*", false},
		"json":                {"application/json", false},
		"envelope":            {envelope, true},
		"other case":          {"Application/VND.registrar.Envelope+JSON", true},
		"with a parameter":    {envelope + "; charset=utf-8", true},
		"among others":        {"text/html, " + envelope + ", */*;q=0.1", true},
		"equal to json":       {"application/json, " + envelope, true},
		"preferred to json":   {"application/json;q=0.5, " + envelope, true},
		"behind json":         {"application/json, " + envelope + ";q=0.5", false},
		"refused":             {envelope + ";q=0", false},
		"refused with spaces": {envelope + " ; q=0.000", false},
		"broken clause":       {";;, " + envelope, true},
		"longer name":         {envelope + "x", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := wantsEnvelope(c.accept); got != c.want {
				t.Errorf("wantsEnvelope(%q) = %v", c.accept, got)
			}
		})
	}
}
