package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const flowRedirect = "https://connector.example/oauth/callback"

// flow is something that takes several requests, each of which needs the answer before.
type flow struct {
	name string
	once func(*visitor) error
}

var flows = []flow{
	{"authorize+token", (*visitor).authorizeAndRedeem},
	{"refresh", (*visitor).refresh},
}

// measureFlows runs each flow on Registrar by as many visitors as there are connections.
func (b *bench) measureFlows(side *side) []flowResult {
	answer, err := b.call(http.MethodPost, side.url+"/oauth/register", "",
		`{"redirect_uris": ["`+flowRedirect+`"], "token_endpoint_auth_method": "none"}`, http.StatusCreated)
	b.must(err, "register a public client")
	var c client
	b.must(json.Unmarshal(answer, &c), "read a registration")
	var results []flowResult
	for _, f := range flows {
		for _, connections := range b.connections {
			results = append(results, flowResult{f.name, connections, b.runFlow(side, c.ID, f, connections)})
		}
	}
	return results
}

type flowResult struct {
	name        string
	connections int
	sample      sample
}

func (b *bench) runFlow(side *side, clientID string, f flow, connections int) sample {
	visitors := make([]*visitor, connections)
	for i := range visitors {
		v, err := newVisitor(side.url, clientID, fmt.Sprintf("%s-%d-%d", f.name, connections, i))
		b.must(err, "log in and approve")
		visitors[i] = v
	}
	var mu sync.Mutex
	var took []time.Duration
	var faults error
	var all sync.WaitGroup
	began := time.Now()
	end := began.Add(time.Duration(b.seconds) * time.Second)
	for _, v := range visitors {
		all.Go(func() {
			own, err := v.repeat(f.once, end)
			mu.Lock()
			defer mu.Unlock()
			took, faults = append(took, own...), errors.Join(faults, err)
		})
	}
	all.Wait()
	b.must(faults, f.name)
	return summary(took, time.Since(began))
}

func summary(took []time.Duration, elapsed time.Duration) sample {
	slices.Sort(took)
	at := func(quantile float64) float64 {
		return float64(took[int(quantile*float64(len(took)-1))].Microseconds()) / 1e3
	}
	return sample{float64(len(took)) / elapsed.Seconds(), at(0.50), at(0.99)}
}

// visitor is a browser in which a user has logged in and approved the client, and the
// client itself.
type visitor struct {
	http           *http.Client
	base, clientID string
	refreshToken   string
}

func newVisitor(base, clientID, name string) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &visitor{http: &http.Client{Jar: jar, CheckRedirect: stay, Transport: &http.Transport{}}, base: base, clientID: clientID}
	if _, _, err := v.call(http.MethodPost, "/login", url.Values{"username": {name}}, http.StatusSeeOther); err != nil {
		return nil, err
	}
	query := v.request(rand.Text() + rand.Text())
	_, page, err := v.call(http.MethodGet, "/oauth/authorize?"+query.Encode(), nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	form := url.Values{"request": {hidden(page, "request")}, "seen": {hidden(page, "seen")}, "decision": {"approve"}}
	if _, _, err := v.call(http.MethodPost, "/oauth/consent", form, http.StatusSeeOther); err != nil {
		return nil, err
	}
	return v, v.authorizeAndRedeem()
}

func hidden(page, name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

func (v *visitor) repeat(once func(*visitor) error, end time.Time) (took []time.Duration, err error) {
	for began := time.Now(); began.Before(end); began = time.Now() {
		if err := once(v); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func (v *visitor) request(verifier string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{
		"client_id": {v.clientID}, "redirect_uri": {flowRedirect}, "response_type": {"code"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

func (v *visitor) authorizeAndRedeem() error {
	verifier := rand.Text() + rand.Text()
	location, _, err := v.call(http.MethodGet, "/oauth/authorize?"+v.request(verifier).Encode(), nil, http.StatusFound)
	if err != nil {
		return err
	}
	at, err := url.Parse(location)
	if err != nil {
		return err
	}
	return v.redeem(url.Values{"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "code_verifier": {verifier}})
}

func (v *visitor) refresh() error {
	return v.redeem(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.refreshToken}})
}

func (v *visitor) redeem(form url.Values) error {
	form.Set("client_id", v.clientID)
	_, answer, err := v.call(http.MethodPost, "/oauth/token", form, http.StatusOK)
	if err != nil {
		return err
	}
	var tokens struct {
		RefreshToken string `json:"refresh_token"`
	}
	err = json.Unmarshal([]byte(answer), &tokens)
	v.refreshToken = tokens.RefreshToken
	return err
}

// call returns the Location and the body of an answer, which must have the status.
func (v *visitor) call(method, path string, form url.Values, status int) (location, body string, err error) {
	request, err := http.NewRequest(method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	// The development login answers at the issuer's own address alone.
	request.Host = strings.TrimPrefix(issuer, "http://")
	response, err := v.http.Do(request)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return response.Header.Get("Location"), string(answer), err
}
