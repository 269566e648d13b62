-- +goose Up
-- When the copy of the client's metadata document was fetched that metadata is of; NULL: the
-- client has none.
ALTER TABLE clients ADD COLUMN document_fetched_at timestamptz;

-- +goose Down
ALTER TABLE clients DROP COLUMN document_fetched_at;
