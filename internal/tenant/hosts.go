package tenant

import (
	"slices"
	"strings"
)

// Hosts are names of hosts; "*.app.example" is every name below app.example.
type Hosts []string

// Contain reports whether the host, without a port, is one of them. Case makes no difference.
func (h Hosts) Contain(host string) bool {
	return slices.ContainsFunc(h, func(listed string) bool {
		if above, isPattern := strings.CutPrefix(listed, "*."); isPattern {
			cut := len(host) - len(above) - 1
			return cut > 0 && host[cut] == '.' && strings.EqualFold(host[cut+1:], above)
		}
		return strings.EqualFold(listed, host)
	})
}

// HostPolicy admits the hosts of a list, all where it is empty, save those of another.
type HostPolicy struct{ Allow, Deny Hosts }

// Admit reports whether the host, without a port, is admitted.
func (p HostPolicy) Admit(host string) bool {
	return !p.Deny.Contain(host) && (len(p.Allow) == 0 || p.Allow.Contain(host))
}

// MetadataDocuments says which clients can be known by their metadata document.
type MetadataDocuments string

const (
	// MetadataDocumentsOff is none.
	MetadataDocumentsOff MetadataDocuments = "off"
	// MetadataDocumentsListed is those whose document is at a listed host.
	MetadataDocumentsListed MetadataDocuments = "listed"
	// MetadataDocumentsAny is all.
	MetadataDocumentsAny MetadataDocuments = "any"
)

// AdmitsDocument reports whether the document of a client may be at the host. What redirect
// URIs must not lead to is nobody's home either.
func (p Policy) AdmitsDocument(host string) bool {
	if p.RedirectHosts.Deny.Contain(host) {
		return false
	}
	return p.MetadataDocuments == MetadataDocumentsAny ||
		p.MetadataDocuments == MetadataDocumentsListed && p.MetadataDocumentHosts.Contain(host)
}
