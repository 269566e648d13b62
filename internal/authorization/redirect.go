package authorization

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/registration"
)

// redirection returns where the answer goes and the registered URI that it matched. A
// client with one registered URI need not name it (RFC 6749 §3.1.2.3).
func redirection(registered []string, sent string) (target, matched string, err error) {
	if sent == "" && len(registered) == 1 {
		target, matched = registered[0], registered[0]
	} else if i := slices.IndexFunc(registered, func(uri string) bool { return matches(uri, sent) }); i >= 0 {
		target, matched = sent, registered[i]
	}
	switch {
	case target == "" && sent == "":
		return "", "", invalidRequest("redirect_uri", "is required, as the client registered more than one")
	case target == "":
		return "", "", invalidRequest("redirect_uri", "is not one of those that the client registered")
	case hasAnswer(target):
		return "", "", invalidRequest("redirect_uri", "has a parameter of its own that the answer would repeat")
	}
	return target, matched, nil
}

// matches reports whether a redirect URI that was sent is the registered one: byte for
// byte, but for the port of a loopback URI, which the system gives to an app as it likes
// (RFC 8252 §7.3).
func matches(registered, sent string) bool {
	if registered == sent {
		return true
	}
	if !registration.IsLoopbackURI(registered) {
		return false
	}
	host := loopbackHost(registered)
	rest, ok := strings.CutPrefix(sent, host)
	return ok && withoutPort(rest) == withoutPort(registered[len(host):])
}

// loopbackHost is a loopback URI up to its port.
func loopbackHost(uri string) string {
	const scheme = "http://"
	host := uri[len(scheme):]
	end := strings.IndexByte(host, ']') + 1 // An IPv6 address has colons of its own.
	if next := strings.IndexAny(host[end:], ":/?"); next >= 0 {
		return uri[:len(scheme)+end+next]
	}
	return uri
}

// withoutPort takes a port off the front of what follows a host, if it is one.
func withoutPort(rest string) string {
	after, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return rest
	}
	end := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(after)
	}
	if port, err := strconv.ParseUint(after[:end], 10, 16); err != nil || port == 0 || end > len("65535") {
		return rest
	}
	return after[end:]
}

// isWeb tells https from loopback and private-use, among registered redirect URIs.
func isWeb(uri string) bool { return strings.HasPrefix(uri, "https:") }

// webHost is the host of an https redirect URI, without its port; empty for all others.
func webHost(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" {
		return ""
	}
	return u.Hostname()
}

// answerParameters are those with which a client is answered (RFC 6749 §4.1.2, §4.1.2.1;
// RFC 9207 §2).
var answerParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// hasAnswer reports whether the query of a redirect URI already holds a parameter of the
// answer. It would stand there twice (RFC 6749 §3.1), and which of the two counts would
// be for the client's parser to say.
func hasAnswer(redirectURI string) bool {
	_, query, _ := strings.Cut(redirectURI, "?")
	own, _ := url.ParseQuery(query) // It leaves out what it cannot read.
	return slices.ContainsFunc(answerParameters, own.Has)
}

// parameter is one parameter of an answer; without a value it is left out.
type parameter struct{ name, value string }

// answer adds the parameters to the redirect URI, whose own query stays as it is, byte
// for byte (RFC 6749 §3.1.2). A blank is sent as %20, which decoders of forms and of URIs
// read alike; they differ on the plus sign.
func answer(redirectURI string, parameters ...parameter) string {
	var b strings.Builder
	b.WriteString(redirectURI)
	separator := firstSeparator(redirectURI)
	for _, p := range parameters {
		if p.value == "" {
			continue
		}
		b.WriteString(separator + p.name + "=" + strings.ReplaceAll(url.QueryEscape(p.value), "+", "%20"))
		separator = "&"
	}
	return b.String()
}

func firstSeparator(redirectURI string) string {
	switch {
	case !strings.Contains(redirectURI, "?"):
		return "?"
	case strings.HasSuffix(redirectURI, "?"), strings.HasSuffix(redirectURI, "&"):
		return ""
	}
	return "&"
}
