package audit

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Action is what was done.
type Action string

// The actions that have an entry each.
const (
	ClientRegistered   Action = "client.registered"
	ClientUpdated      Action = "client.updated"
	ClientDeleted      Action = "client.deleted"
	ClientSuspended    Action = "client.suspended"
	ClientApproved     Action = "client.approved"
	ClientDisconnected Action = "client.disconnected"
	// TokenMisused is a registration access token that was presented on another client, and
	// revoked for it (RFC 7592 §2).
	TokenMisused Action = "token.misused"
	// GrantReused is a code or refresh token that was presented again, which ended its grant
	// (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
	GrantReused Action = "grant.reused"
	KeysRotated Action = "keys.rotated"
	// InitialTokenIssued and InitialTokenRevoked are about an initial access token (RFC 7591
	// §3), whose id is the reason.
	InitialTokenIssued  Action = "initial_token.issued"
	InitialTokenRevoked Action = "initial_token.revoked"
)

// RegistrationRefused is counted.
const RegistrationRefused Action = "registration.refused"

// Fetched is a fetch of something of this kind, which is counted: fetch.document, of a client's
// metadata, fetch.keys or fetch.logo.
func Fetched(kind string) Action { return Action("fetch." + kind) }

// Anonymous is the actor of what needs no credentials, and one who registers with an initial
// access token is known by its id behind InitialToken.
const (
	Anonymous    = "anonymous"
	InitialToken = "initial access token "
)

// Entry is one act, or all alike within a minute. What is empty is not known or not the case.
type Entry struct {
	Tenant string `json:"tenant"`
	// ID is a ULID in lower case; the trail is in its order. It tells when the entry was made
	// to the millisecond, and At when the act was.
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Action Action    `json:"action"`
	// ClientID is the client that it was done to, which may be gone.
	ClientID string `json:"client_id,omitempty"`
	// Actor is who did it: [Anonymous], or as the room that told it has it: "client", by its
	// own credentials, "operator", at the command line, or "user" and a subject.
	Actor string `json:"actor"`
	// Address is where it came from, of a counted IPv6 address its /64.
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
	// Reason is why, or what it was about: of an update the names of the members that changed.
	Reason string `json:"reason,omitempty"`
	// TraceID is that of the request, of counted ones that of the first.
	TraceID string `json:"trace_id,omitempty"`
	// Count is how often it was done.
	Count int64 `json:"count"`
}

// NewID draws the id of an entry that is made at the time.
func NewID(at time.Time) string {
	var id ulid.ULID
	setTime(&id, at)
	_, _ = rand.Read(id[timeBytes:])
	return spell(id)
}

// FirstID is the least id of an entry that is made at the time: all that is older is less.
func FirstID(at time.Time) string {
	var id ulid.ULID
	setTime(&id, at)
	return spell(id)
}

// timeBytes is how many bytes of a ULID hold its time.
const timeBytes = 6

// setTime takes what a ULID cannot hold, a time before 1970 for one, for its first moment.
func setTime(id *ulid.ULID, at time.Time) {
	if id.SetTime(ulid.Timestamp(at)) != nil {
		*id = ulid.ULID{}
	}
}

func spell(id ulid.ULID) string { return strings.ToLower(id.String()) }
