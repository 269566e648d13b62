package registration

import (
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Act is what the audit trail says of a change: the store writes it in the transaction of
// the change, and only if that finds its row. It holds no secret and nothing that a client
// registered.
type Act struct {
	At time.Time
	// Actor is who makes the change: [ActorClient], [ActorOperator] or what [ActorUser] returns.
	Actor string
	// From and Agent are the address and the User-Agent, where the change was asked for over
	// HTTP, and TraceID is that of the request.
	From    netip.Addr
	Agent   string
	TraceID string
	// Reason is why, or what it is about; it may be empty.
	Reason string
}

// The actors that need no name.
const (
	// ActorClient acts by a credential of its own.
	ActorClient = "client"
	// ActorOperator acts at the command line.
	ActorOperator = "operator"
	// ActorServer acts by the policy alone.
	ActorServer = "server"
)

// ActorUser is a user who is logged in.
func ActorUser(subject string) string { return "user " + subject }

// Act is one in these circumstances.
func (a Access) Act(at time.Time, actor, reason string) Act {
	return Act{At: at, Actor: actor, From: a.From, Agent: a.Agent, TraceID: a.TraceID, Reason: reason}
}

// whatChanged names the members that an update changed, and client_secret where there is a
// new one.
func whatChanged(before *Client, after *Registered) string {
	names := changedMembers(before.Metadata, after.Client.Metadata)
	if after.Secret != "" {
		names = append(names, "client_secret")
	}
	return joinNames(names)
}

// ChangedMembers names the members that differ, for the audit trail; "" for none.
func ChangedMembers(before, after Metadata) string { return joinNames(changedMembers(before, after)) }

func joinNames(names []string) string { return strings.Join(names, ", ") }

// changedMembers returns the names of the members that differ. A translation counts as the
// member that it is of: its language tag is the client's to make up.
func changedMembers(before, after Metadata) []string {
	var names []string
	old, now := reflect.ValueOf(before), reflect.ValueOf(after)
	for field, value := range old.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != localizedMember && !reflect.DeepEqual(value.Interface(), now.FieldByIndex(field.Index).Interface()) {
			names = append(names, name)
		}
	}
	return distinct(append(names, changedTranslations(before.Localized, after.Localized)...))
}

// localizedMember is how the translations are stored together, which is no member's name.
const localizedMember = "localized"

func changedTranslations(before, after map[string]string) []string {
	var names []string
	for _, m := range stringMembers {
		isOther := func(name, _ string) bool { return !strings.HasPrefix(name, m.name+"#") }
		old, now := maps.Clone(before), maps.Clone(after)
		maps.DeleteFunc(old, isOther)
		maps.DeleteFunc(now, isOther)
		if !maps.Equal(old, now) {
			names = append(names, m.name)
		}
	}
	return names
}
