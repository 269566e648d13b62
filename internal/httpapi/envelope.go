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
	var envelope, bare float64
	for _, clause := range strings.Split(accept, ",") {
		mediaType, parameters, err := mime.ParseMediaType(clause)
		if err != nil {
			continue
		}
		switch mediaType {
		case envelopeType:
			envelope = quality(parameters)
		case "application/json":
			bare = quality(parameters)
		}
	}
	return envelope > 0 && envelope >= bare
}

// quality is the weight of a clause, 1 unless it says otherwise (RFC 9110 §12.4.2).
func quality(parameters map[string]string) float64 {
	weight, err := strconv.ParseFloat(parameters["q"], 64)
	if err != nil {
		return 1
	}
	return weight
}
