-- +goose Up
-- When a user last approved the client, or a token was issued to it; NULL: never. It is
-- written some seconds late.
ALTER TABLE clients ADD COLUMN last_used_at timestamptz;

-- +goose Down
ALTER TABLE clients DROP COLUMN last_used_at;
