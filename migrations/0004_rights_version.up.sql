-- The version of a user's rights. Cached answers of one caller are bound to it, so that none of them outlives
-- a change of role, a deletion or a new password. A trigger counts, since such a change may come from anywhere:
-- a statement typed by hand, a job, another service.
ALTER TABLE users ADD COLUMN rights_version bigint NOT NULL DEFAULT 0;

CREATE FUNCTION count_rights_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.rights_version := OLD.rights_version + 1;
    RETURN NEW;
END
$$;

CREATE TRIGGER users_rights_version BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.is_superuser IS DISTINCT FROM NEW.is_superuser
          OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
          OR OLD.password_hash IS DISTINCT FROM NEW.password_hash)
    EXECUTE FUNCTION count_rights_version();
