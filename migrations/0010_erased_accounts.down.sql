DROP INDEX users_to_erase;
-- Erased accounts get values that belong to nobody.
UPDATE users SET email = 'erased-' || id || '@erased.invalid', name = 'erased', password_hash = '' WHERE email IS NULL;
ALTER TABLE users
    DROP CONSTRAINT users_erased_whole,
    ALTER COLUMN email SET NOT NULL,
    ALTER COLUMN name SET NOT NULL,
    ALTER COLUMN password_hash SET NOT NULL;
