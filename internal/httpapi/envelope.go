package httpapi

import (
	"mime"
	"strconv"
	"strings"
)

// envelopeType is the content type of an enveloped registration.
const envelopeType = "application/vnd.registrar.envelope+json"

// wantsEnvelope reports whether an Accept header names the envelope and does not prefer
// the bare form to it (RFC 9110 §12.5.1). A wildcard does not ask for an envelope.
func wantsEnvelope(accept string) bool {
	if !strings.Contains(strings.ToLower(accept), envelopeType) {
		return false
	}
	weights := map[string]float64{}
	for _, clause := range strings.Split(accept, ",") {
		if mediaType, parameters, err := mime.ParseMediaType(clause); err == nil {
			weights[mediaType] = quality(parameters)
		}
	}
	return weights[envelopeType] > 0 && weights[envelopeType] >= bareWeight(weights)
}

// bareWeight is the weight of the most specific range that covers the bare form.
func bareWeight(weights map[string]float64) float64 {
	for _, mediaRange := range []string{"application/json", "application/*", "*/*"} {
		if weight, named := weights[mediaRange]; named {
			return weight
		}
	}
	return 0
}

// quality is the weight of a clause, 1 unless it says otherwise (RFC 9110 §12.4.2).
func quality(parameters map[string]string) float64 {
	text, given := parameters["q"]
	if !given {
		return 1
	}
	weight, err := strconv.ParseFloat(text, 64)
	if err != nil || weight < 0 || weight > 1 {
		return 0
	}
	return weight
}
