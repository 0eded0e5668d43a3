CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE widgets (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id    bigint      NOT NULL,
    name        text        NOT NULL,
    description text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz,
    CONSTRAINT widgets_owner FOREIGN KEY (owner_id) REFERENCES users (id),
    CONSTRAINT widgets_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT widgets_description_length CHECK (length(description) <= 2000)
);

-- A user's widgets, newest first.
CREATE INDEX widgets_newest_by_owner ON widgets (owner_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
-- All widgets, newest first.
CREATE INDEX widgets_newest ON widgets (created_at DESC, id DESC) WHERE deleted_at IS NULL;
-- Counting: all its keys are the same, so that it is kept in six bytes a row and read in no time.
CREATE INDEX widgets_present ON widgets (deleted_at) WHERE deleted_at IS NULL;
-- Search in the middle of words.
CREATE INDEX widgets_search ON widgets USING gin (name gin_trgm_ops, description gin_trgm_ops)
    WHERE deleted_at IS NULL;
