-- record_changes_of(table, argument, column, argument, column, …) makes the triggers of a table every column of which shows in
-- answers: an insertion, a change, a deletion and a truncation record a change whose kind is the name of the table.
-- A table of which some columns show has triggers of its own, with a list in `WHEN`: see 0006_users_changes.up.sql.
CREATE FUNCTION record_changes_of(changed regclass, VARIADIC arguments text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kind     text := (SELECT relname FROM pg_class WHERE oid = changed);
    recorded text := (SELECT string_agg(quote_literal(argument), ', ' ORDER BY position)
                      FROM unnest(kind || arguments) WITH ORDINALITY AS given (argument, position));
BEGIN
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR DELETE ON %s FOR EACH ROW
        EXECUTE FUNCTION record_cache_change(%s)', kind || '_inserted_or_deleted', changed, recorded);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
        EXECUTE FUNCTION record_cache_change(%s)', kind || '_updated', changed, recorded);
    EXECUTE format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT
        EXECUTE FUNCTION record_cache_truncation(%L)', kind || '_truncated', changed, kind);
END
$$;
