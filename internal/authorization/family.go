package authorization

import (
	"encoding/base32"
	"fmt"
	"io"

	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
)

// identifiers is how random bytes are spelt within tokens (Crockford's base 32).
var identifiers = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const familyBytes = 32

// refreshToken is one that is well formed: it embeds the id of its grant, and the family,
// a secret that all refresh tokens of the grant share. So an old one is told from one
// that is made up without its digest being kept.
type refreshToken struct {
	secret  credential.Secret
	grantID string
	family  credential.Secret
}

func parseRefreshToken(secret credential.Secret) (refreshToken, bool) {
	subject, ok := credential.Subject(credential.RefreshToken, secret)
	if !ok || len(subject) != ulid.EncodedSize+identifiers.EncodedLen(familyBytes) {
		return refreshToken{}, false
	}
	id, family := subject[:ulid.EncodedSize], subject[ulid.EncodedSize:]
	return refreshToken{secret: secret, grantID: id, family: credential.Secret(family)}, isGrantID(id)
}

func mintRefreshToken(random io.Reader, grantID string, family credential.Secret) (credential.Secret, error) {
	return credential.Mint(random, credential.RefreshToken, grantID+family.Reveal())
}

func drawFamily(random io.Reader) (credential.Secret, error) {
	family, err := drawText(random, familyBytes)
	return credential.Secret(family), err
}

// drawText draws so many random bytes and spells them.
func drawText(random io.Reader, count int) (string, error) {
	drawn := make([]byte, count)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return "", fmt.Errorf("draw an identifier: %w", err)
	}
	return identifiers.EncodeToString(drawn), nil
}
