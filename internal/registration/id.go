package registration

import (
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
)

// ClientIDPrefix tells a client_id from other identifiers, and from the https URL that
// a Client ID Metadata Document has as its client_id.
const ClientIDPrefix = "c_"

// clientID spells a ULID as a client_id: time-ordered, so that new rows stand together
// in the index.
func clientID(id ulid.ULID) string { return ClientIDPrefix + tokenSubject(id) }

// tokenSubject is what a registration access token embeds of its client's id.
func tokenSubject(id ulid.ULID) string { return strings.ToLower(id.String()) }

// tokenOwner returns the client_id that a registration access token embeds, and whether
// the token is well formed; the store is asked for nothing that is not.
func tokenOwner(token credential.Secret) (string, bool) {
	subject, ok := credential.Subject(credential.RegistrationAccessToken, token)
	if !ok {
		return "", false
	}
	id, err := ulid.ParseStrict(subject)
	return clientID(id), err == nil
}
