-- Changes that the cache has still to learn of. Triggers insert a row in the transaction of the change; an instance of
-- the service invalidates what the change made stale, and deletes the row in the transaction that confirms it.
-- See docs/database-feed.md.
CREATE TABLE cache_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- What changed: the table, or another name that a module knows.
    kind       text        NOT NULL,
    -- Names and their old and new values: {"widget_id": ["7"], "owner": ["ada", "grace"]}. NULL: all rows of the kind.
    arguments  jsonb,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
    -- Every row is deleted soon, so the table is vacuumed by the number of dead rows and never by a share of it.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000
);

-- Old and new value of one argument, each once.
CREATE FUNCTION cache_values(VARIADIC known text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_agg(DISTINCT value), '[]') FROM unnest(known) AS value WHERE value IS NOT NULL
$$;

-- A row trigger: record_cache_change(kind, argument, column, argument, column, …) records the old and the new value
-- of each column under the name of its argument.
CREATE FUNCTION record_cache_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_row   jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
    new_row   jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
    arguments jsonb := '{}';
BEGIN
    FOR position IN 1 .. TG_NARGS - 1 BY 2 LOOP
        arguments := arguments || jsonb_build_object(
            TG_ARGV[position],
            cache_values(old_row ->> TG_ARGV[position + 1], new_row ->> TG_ARGV[position + 1]));
    END LOOP;
    INSERT INTO cache_changes (kind, arguments) VALUES (TG_ARGV[0], arguments);
    RETURN NULL;
END
$$;

-- A statement trigger for TRUNCATE: record_cache_truncation(kind).
CREATE FUNCTION record_cache_truncation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cache_changes (kind, arguments) VALUES (TG_ARGV[0], NULL);
    RETURN NULL;
END
$$;
