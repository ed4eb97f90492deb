-- The core: users, sessions, rooms, members, posts. Times are microseconds UTC, ids 16 bytes.
-- The checks are a backstop; store/bounds.c refuses the same things first, with a clear answer.
-- length() of a text ends at its first NUL, so lengths are taken of the bytes.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username TEXT NOT NULL UNIQUE
        CHECK (length(CAST(username AS BLOB)) BETWEEN 3 AND 50 AND username NOT GLOB '*[^A-Za-z0-9_]*'),
    email TEXT NOT NULL UNIQUE
        CHECK (length(CAST(email AS BLOB)) BETWEEN 1 AND 255 AND instr(email, char(0)) = 0),
    password_hash TEXT NOT NULL -- empty: cannot log in
        CHECK (length(CAST(password_hash AS BLOB)) <= 255 AND instr(password_hash, char(0)) = 0),
    created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);

CREATE TABLE rooms (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL
        CHECK (length(name) BETWEEN 1 AND 100 AND length(CAST(name AS BLOB)) <= 400
               AND instr(name, char(0)) = 0),
    creator BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL,
    ephemeral INTEGER NOT NULL CHECK (ephemeral IN (0, 1)),
    epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    last_seq INTEGER NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    last_us INTEGER NOT NULL DEFAULT 0,
    CHECK (ephemeral = 0 OR last_seq = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX rooms_by_age ON rooms (created_us, id);
CREATE INDEX rooms_by_creator ON rooms (creator);

CREATE TABLE members (
    room BLOB NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_us INTEGER NOT NULL,
    PRIMARY KEY (room, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);

-- No reference to rooms or users: the append has locked the room's row, and a look-up of the sender
-- for every row is a price without a buyer (rights are checked before a post gets here).
-- Every index that starts with the room costs a page per room in each commit, so there is one only:
-- ids rise with time and land on one page; at_us rises with seq within a room, so a time is looked
-- up by halving (room, seq).
CREATE TABLE posts (
    room BLOB NOT NULL CHECK (length(room) = 16),
    seq INTEGER NOT NULL CHECK (seq >= 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    sender BLOB NOT NULL CHECK (length(sender) = 16),
    at_us INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)), -- cf_post_kind_t
    text TEXT NOT NULL
        CHECK (length(text) BETWEEN 1 AND 1000 AND length(CAST(text AS BLOB)) <= 4000
               AND instr(text, char(0)) = 0),
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX posts_by_id ON posts (id);

CREATE TABLE post_keys (
    room BLOB NOT NULL,
    sender BLOB NOT NULL,
    client_key TEXT NOT NULL CHECK (length(CAST(client_key AS BLOB)) BETWEEN 1 AND 64),
    seq INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    at_us INTEGER NOT NULL,
    body_hash BLOB NOT NULL CHECK (length(body_hash) = 16),
    PRIMARY KEY (room, sender, client_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX post_keys_by_time ON post_keys (at_us);
