-- +goose Up
-- active or suspended.
ALTER TABLE clients ADD COLUMN status text NOT NULL DEFAULT 'active';

-- +goose Down
ALTER TABLE clients DROP COLUMN status;
