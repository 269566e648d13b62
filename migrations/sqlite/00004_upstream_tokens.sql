-- +goose Up
-- A refresh at the provider takes the row for itself, so that no two replicas use one token,
-- which a provider takes for a theft.
ALTER TABLE upstream_tokens ADD COLUMN held_until TIMESTAMP; -- NULL: nobody has taken it
-- When the row was last of use; rows from before are taken for new ones.
ALTER TABLE upstream_tokens ADD COLUMN kept_at TIMESTAMP NOT NULL DEFAULT '2026-12-01 00:00:00+00:00';
CREATE INDEX upstream_tokens_by_use ON upstream_tokens (tenant, kept_at);

-- +goose Down
DROP INDEX upstream_tokens_by_use;
ALTER TABLE upstream_tokens DROP COLUMN kept_at;
ALTER TABLE upstream_tokens DROP COLUMN held_until;
