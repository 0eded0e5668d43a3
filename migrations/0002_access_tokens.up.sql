-- Opaque access tokens, stored only as the SHA-256 of their 256 random bits.
CREATE TABLE access_tokens (
    token_hash bytea       PRIMARY KEY,
    user_id    bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT access_tokens_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT access_tokens_hash_length CHECK (length(token_hash) = 32)
);

-- Revoking all tokens of a user.
CREATE INDEX access_tokens_by_user ON access_tokens (user_id);
