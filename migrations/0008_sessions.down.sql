CREATE INDEX access_tokens_by_user ON access_tokens (user_id);
DROP INDEX access_tokens_newest_by_user;
ALTER TABLE access_tokens
    DROP COLUMN address,
    DROP COLUMN client,
    DROP COLUMN last_used_at,
    DROP COLUMN id;
