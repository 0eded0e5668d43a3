-- An account that was deleted long ago is erased: it keeps its row and its username, and loses the rest of what tells who it
-- was. It cannot come back.
ALTER TABLE users
    ALTER COLUMN email DROP NOT NULL,
    ALTER COLUMN name DROP NOT NULL,
    ALTER COLUMN password_hash DROP NOT NULL,
    ADD CONSTRAINT users_erased_whole CHECK (
        num_nulls(email, name, password_hash) = 0
        OR deleted_at IS NOT NULL AND num_nulls(email, name, password_hash) = 3
    );

-- Finding the accounts to erase, the first deleted one first.
CREATE INDEX users_to_erase ON users (deleted_at) WHERE deleted_at IS NOT NULL AND email IS NOT NULL;
