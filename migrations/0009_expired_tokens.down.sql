DROP INDEX access_tokens_expired;
