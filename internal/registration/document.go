package registration

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/strictjson"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// MaxDocumentBytes is the size of the largest metadata document
// (draft-ietf-oauth-client-id-metadata-document-02 §6).
const MaxDocumentBytes = 5 << 10

// IsDocumentURL reports whether a client_id is the URL of a metadata document. None that is
// issued here begins so.
func IsDocumentURL(id string) bool { return strings.HasPrefix(id, "https://") }

// DocumentURLFault returns why a client_id cannot be the URL of a metadata document, or ""
// (draft-ietf-oauth-client-id-metadata-document-02 §3).
func DocumentURLFault(id string) string {
	if reason := webURIFault(id); reason != "" {
		return reason
	}
	return firstBroken(documentURLRules, cutURI(id))
}

var documentURLRules = []rule[uri]{
	{func(u uri) bool { return strings.Contains(u.text, "#") }, "must not have a fragment"},
	{func(u uri) bool { return u.path == "" || u.path == "/" }, "must have a path"},
	{func(u uri) bool { return hasDotSegment(u.path) }, "must not have dot segments"},
}

// DocumentHost returns the host of a sound document URL, without its port.
func DocumentHost(id string) string { return cutURI(id).host }

// ReadDocument returns what the client of the document is registered with: what it says,
// held to the rules of a registration and to those of a document
// (draft-ietf-oauth-client-id-metadata-document-02 §4). The error is an *oauth.Error of code
// invalid_redirect_uri or invalid_client_metadata, whose description names the member and
// the rule and never repeats a value.
func ReadDocument(policy tenant.Policy, url string, body []byte) (Metadata, error) {
	object, err := strictjson.Decode(bytes.NewReader(body))
	if err != nil {
		return Metadata{}, documentFault(err)
	}
	for _, check := range documentRules {
		if err := check(url, object); err != nil {
			return Metadata{}, err
		}
	}
	asked, err := decodeMetadata(object)
	if err != nil {
		return Metadata{}, err
	}
	if asked.TokenEndpointAuthMethod, err = documentMethod(policy, asked, object["token_endpoint_auth_methods_supported"]); err != nil {
		return Metadata{}, err
	}
	registered, _, err := applyRules(policy, asked)
	return registered, err
}

// documentFault says where a text is no JSON object.
func documentFault(err error) error {
	var fault *strictjson.Fault
	switch {
	case !errors.As(err, &fault) || fault.Text || memberReaders[fault.Member] == nil:
		return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: err.Error()}
	case fault.Member == "redirect_uris":
		return invalidRedirectURI(fault.Member, fault.Reason)
	}
	return invalidMetadata(fault.Member, fault.Reason)
}

// documentRules hold for documents alone, and are applied in this order.
var documentRules = []func(url string, document map[string]any) error{
	checkDocumentID,
	checkNoSecret,
	checkDocumentMembers,
}

func checkDocumentID(url string, document map[string]any) error {
	if document["client_id"] != url {
		return invalidMetadata("client_id", "must be the URL of the document, byte for byte")
	}
	return nil
}

// checkNoSecret refuses what anybody could read.
func checkNoSecret(_ string, document map[string]any) error {
	for name := range document {
		if strings.HasPrefix(name, "client_secret") {
			return invalidMetadata("client_secret", "no member that begins so may be part of a document")
		}
	}
	return nil
}

func checkDocumentMembers(_ string, document map[string]any) error {
	switch {
	case isOmitted(document["redirect_uris"]):
		return invalidRedirectURI("redirect_uris", "is required of a document")
	case isOmitted(document["client_name"]):
		return invalidMetadata("client_name", "is required of a document")
	}
	return nil
}

func isOmitted(value any) bool { return value == nil || value == "" }

// secretMethods need a secret that is shared, which a client without a registration has not
// (OpenID Connect Core 1.0 §9).
var secretMethods = []oauth.AuthMethod{oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost, "client_secret_jwt"}

// documentMethod is how the client authenticates: as it says or, where that is not supported
// here, in the first way of its list that is. Without one it is a public client.
func documentMethod(policy tenant.Policy, asked Metadata, listed any) (oauth.AuthMethod, error) {
	hasKeys := asked.JWKS != nil || asked.JWKSURI != ""
	supported := func(method oauth.AuthMethod) bool {
		return slices.Contains(policy.AuthMethods, method) && (method == oauth.AuthNone || method == oauth.AuthPrivateKeyJWT && hasKeys)
	}
	said := asked.TokenEndpointAuthMethod
	switch {
	case slices.Contains(secretMethods, said):
		return "", invalidMetadata("token_endpoint_auth_method", "must not need a secret")
	case said == oauth.AuthPrivateKeyJWT && slices.Contains(policy.AuthMethods, said), supported(said):
		return said, nil // A client that says it signs and has no keys is refused by the rules.
	}
	array, _ := listed.([]any)
	for _, element := range array {
		if name, _ := element.(string); supported(oauth.AuthMethod(name)) {
			return oauth.AuthMethod(name), nil
		}
	}
	return oauth.AuthNone, nil
}
