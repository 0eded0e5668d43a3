-- Changes of users that show in answers.
CREATE TRIGGER users_inserted_or_deleted AFTER INSERT OR DELETE ON users FOR EACH ROW
    EXECUTE FUNCTION record_cache_change('users', 'user_id', 'id', 'username', 'username');

CREATE TRIGGER users_updated AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.id, OLD.username, OLD.email, OLD.name, OLD.is_superuser, OLD.created_at, OLD.updated_at, OLD.deleted_at)
          IS DISTINCT FROM
          (NEW.id, NEW.username, NEW.email, NEW.name, NEW.is_superuser, NEW.created_at, NEW.updated_at, NEW.deleted_at))
    EXECUTE FUNCTION record_cache_change('users', 'user_id', 'id', 'username', 'username');

CREATE TRIGGER users_truncated AFTER TRUNCATE ON users FOR EACH STATEMENT
    EXECUTE FUNCTION record_cache_truncation('users');
