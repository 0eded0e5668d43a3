-- Finding expired tokens, which the service removes in the background.
CREATE INDEX access_tokens_expired ON access_tokens (expires_at);
