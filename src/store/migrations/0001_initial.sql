-- Designs, their versions, finished operations.
--
-- Every table keeps an integer row number: salvage reads a damaged file by it, row by row.
-- Times are microseconds since 1970 in UTC. Large columns come last, so that reading the
-- others never touches their overflow pages.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE design (
    row        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL UNIQUE,
    version    TEXT NOT NULL,
    form       TEXT NOT NULL,
    origin     TEXT NOT NULL,
    components INTEGER NOT NULL,
    kinds      TEXT NOT NULL,
    secrets    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A version repeats its design's name: a design whose own row is lost is rebuilt from it.
CREATE TABLE design_version (
    row        INTEGER PRIMARY KEY,
    design     TEXT NOT NULL REFERENCES design (id) ON DELETE CASCADE,
    version    TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    form       TEXT NOT NULL,
    origin     TEXT NOT NULL,
    components INTEGER NOT NULL,
    kinds      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    hash       BLOB NOT NULL,
    sealed     BLOB,
    body       BLOB NOT NULL,
    UNIQUE (design, version),
    UNIQUE (design, sequence)
) STRICT;

CREATE TABLE operation (
    row         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    request     TEXT NOT NULL,
    size        INTEGER NOT NULL,
    outcome     BLOB NOT NULL
) STRICT;
