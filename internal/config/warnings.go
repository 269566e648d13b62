package config

import (
	"net"
	"os"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Warnings are what is allowed and may not be meant, each in the form of a fault: the
// variable, a colon, and what to know.
func (c *Config) Warnings() []string {
	users := usersFileWarning(c.UsersFile)
	warnings := faults{lines: c.StartWarnings()}
	warnings.check([]check{
		{len(c.Resources) == 0, "RESOURCES", "without a list, tokens are issued for any https or loopback resource"},
		{users != "", "USERS_FILE", users},
	})
	return warnings.lines
}

// StartWarnings are those that a server repeats at each start. What the defaults alone
// call for is not among them, nor what is told when the file of users is opened.
func (c *Config) StartWarnings() []string {
	var warnings faults
	for _, name := range c.unknown {
		warnings.lines = append(warnings.lines, name+": this variable is not a setting of this version and has no effect")
	}
	warnings.check([]check{
		{c.RegistrationRate.Off, "REGISTRATION_RATE", "registrations are not limited"},
		{c.MetricsAddr != "" && !listensOnLoopback(c.MetricsAddr), "METRICS_ADDR", "whoever reaches it can read metrics and profiles: keep it from the outside"},
		{c.DevelopmentFetch, "DEVELOPMENT_FETCH", "clients can have this server connect to any address"},
		{c.MetadataDocuments == tenant.MetadataDocumentsListed && len(c.MetadataDocumentHosts) == 0, "METADATA_DOCUMENT_HOSTS", "without a host, no client is known by its metadata document"},
		{c.Login() == LoginNone, "UPSTREAM_ISSUER", "neither it nor " + Prefix + "USERS_FILE is set: nobody can log in"},
	})
	return warnings.lines
}

func listensOnLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && isLoopback(host)
}

// othersMayUse are the permissions of everybody but the owner of a file.
const othersMayUse = 0o077

// usersFileWarning returns what is odd about the file of password hashes, or "".
func usersFileWarning(path string) string {
	if path == "" {
		return ""
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "the file cannot be read: " + pathless(err).Error()
	case info.Mode().Perm()&othersMayUse != 0:
		return "others than its owner can read or change the file, its mode should be 0600"
	}
	return ""
}
