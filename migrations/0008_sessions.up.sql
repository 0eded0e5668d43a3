-- A session is an access token as its user sees it: since when, from where, and how lately it was used. Its id is no secret.
ALTER TABLE access_tokens
    ADD COLUMN id           bigint GENERATED ALWAYS AS IDENTITY,
    -- The beginning of the hour of the last use: one write an hour, and not one for each request.
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT date_trunc('hour', now(), 'UTC'),
    -- The User-Agent and the address of the sign-in.
    ADD COLUMN client       text,
    ADD COLUMN address      text,
    ADD CONSTRAINT access_tokens_id_unique UNIQUE (id),
    ADD CONSTRAINT access_tokens_client_length CHECK (length(client) <= 200),
    ADD CONSTRAINT access_tokens_address_length CHECK (length(address) <= 45);

-- The last use of older tokens is not known. Their next use is.
UPDATE access_tokens SET last_used_at = date_trunc('hour', created_at, 'UTC');

-- The sessions of a user, newest first, and revoking all of them.
CREATE INDEX access_tokens_newest_by_user ON access_tokens (user_id, created_at DESC, id DESC);
DROP INDEX access_tokens_by_user;
