package main

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// TestContractRepeatsTheLimits: every limit of the domain stands in the contract, and no other.
func TestContractRepeatsTheLimits(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.ContractYAML)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{
		"redirect_uris maxItems":       registration.MaxRedirectURIs,
		"redirect_uris[] maxLength":    registration.MaxRedirectURIBytes,
		"client_name maxLength":        registration.MaxClientNameRunes,
		"contacts maxItems":            registration.MaxContacts,
		"jwks.keys maxItems":           registration.MaxKeys,
		"contacts[] maxLength":         registration.MaxTextRunes,
		"software_id maxLength":        registration.MaxTextRunes,
		"software_version maxLength":   registration.MaxTextRunes,
		"software_statement maxLength": registration.MaxStatementBytes,
	}
	for _, member := range []string{"client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri"} {
		want[member+" maxLength"] = registration.MaxURIBytes
	}
	got := map[string]uint64{}
	for name, member := range doc.Components.Schemas["ClientMetadata"].Value.Properties {
		collectLimits(name, member.Value, got)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the contract has the limits %v\nwant %v", got, want)
	}
}

// collectLimits walks a schema for the limits that it sets.
func collectLimits(path string, schema *openapi3.Schema, limits map[string]uint64) {
	if schema.MaxItems != nil {
		limits[path+" maxItems"] = *schema.MaxItems
	}
	if schema.MaxLength != nil {
		limits[path+" maxLength"] = *schema.MaxLength
	}
	if schema.Items != nil {
		collectLimits(path+"[]", schema.Items.Value, limits)
	}
	for name, property := range schema.Properties {
		collectLimits(path+"."+name, property.Value, limits)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
