-- Changes of widgets that show in answers. The owner's name stands in another table, so this module has a function of its own.
CREATE FUNCTION record_widget_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- A widget that comes or goes is counted too.
    kind      text := 'widgets';
    old_owner text;
    new_owner text;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT username INTO old_owner FROM users WHERE id = OLD.owner_id;
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.owner_id <> OLD.owner_id THEN
        SELECT username INTO new_owner FROM users WHERE id = NEW.owner_id;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.deleted_at IS NOT DISTINCT FROM OLD.deleted_at THEN
        kind := 'widget_contents';
    END IF;
    INSERT INTO cache_changes (kind, arguments) VALUES (kind, jsonb_build_object(
        'widget_id', CASE TG_OP
            WHEN 'INSERT' THEN jsonb_build_array(NEW.id::text)
            WHEN 'DELETE' THEN jsonb_build_array(OLD.id::text)
            ELSE cache_values(OLD.id::text, NEW.id::text)
        END,
        'owner', cache_values(old_owner, new_owner)));
    RETURN NULL;
END
$$;

CREATE TRIGGER widgets_inserted_or_deleted AFTER INSERT OR DELETE ON widgets FOR EACH ROW
    EXECUTE FUNCTION record_widget_change();

CREATE TRIGGER widgets_updated AFTER UPDATE ON widgets FOR EACH ROW
    WHEN ((OLD.id, OLD.owner_id, OLD.name, OLD.description, OLD.created_at, OLD.updated_at, OLD.deleted_at)
          IS DISTINCT FROM
          (NEW.id, NEW.owner_id, NEW.name, NEW.description, NEW.created_at, NEW.updated_at, NEW.deleted_at))
    EXECUTE FUNCTION record_widget_change();

CREATE TRIGGER widgets_truncated AFTER TRUNCATE ON widgets FOR EACH STATEMENT
    EXECUTE FUNCTION record_cache_truncation('widgets');

-- Lists are kept by the owner's name, and a widget shows it: a new name changes the lists of both names and each
-- widget of the user. A user that is deleted or comes back changes the list alone.
CREATE FUNCTION record_widget_owner_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.username <> NEW.username THEN
        INSERT INTO cache_changes (kind, arguments)
        SELECT 'widget_contents', jsonb_build_object(
            'widget_id', jsonb_build_array(id::text), 'owner', jsonb_build_array(OLD.username, NEW.username))
        FROM widgets WHERE owner_id = NEW.id;
        INSERT INTO cache_changes (kind, arguments)
        VALUES ('widget_owners', jsonb_build_object('owner', jsonb_build_array(OLD.username, NEW.username)));
    ELSE
        INSERT INTO cache_changes (kind, arguments)
        VALUES ('widget_owners', jsonb_build_object('owner', jsonb_build_array(OLD.username)));
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER widget_owners_deleted AFTER DELETE ON users FOR EACH ROW
    EXECUTE FUNCTION record_widget_owner_change();

CREATE TRIGGER widget_owners_updated AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.username, OLD.deleted_at) IS DISTINCT FROM (NEW.username, NEW.deleted_at))
    EXECUTE FUNCTION record_widget_owner_change();
