-- The core: users, sessions, rooms, members, posts. Times are microseconds UTC.
-- The checks are a backstop; store/bounds.c refuses the same things first, with a clear answer.
-- Text is compared byte by byte (COLLATE "C"), so that no change of the system's collations can
-- break an index. PostgreSQL itself refuses U+0000 and ill-formed UTF-8.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text COLLATE "C" NOT NULL UNIQUE CHECK (username ~ '^[A-Za-z0-9_]{3,50}$'),
    email text COLLATE "C" NOT NULL UNIQUE CHECK (octet_length(email) BETWEEN 1 AND 255),
    password_hash text COLLATE "C" NOT NULL -- empty: cannot log in
        CHECK (octet_length(password_hash) <= 255),
    created_us bigint NOT NULL
);

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    id uuid NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us bigint NOT NULL,
    expires_us bigint NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);

-- Every append updates last_seq and last_us: free space in each page keeps those updates in place.
CREATE TABLE rooms (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL
        CHECK (char_length(name) BETWEEN 1 AND 100 AND octet_length(name) <= 400),
    creator uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us bigint NOT NULL,
    ephemeral boolean NOT NULL,
    epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    last_seq bigint NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    last_us bigint NOT NULL DEFAULT 0,
    CHECK (NOT ephemeral OR last_seq = 0)
) WITH (fillfactor = 60);
CREATE INDEX rooms_by_age ON rooms (created_us, id);
CREATE INDEX rooms_by_creator ON rooms (creator);

CREATE TABLE members (
    room uuid NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_us bigint NOT NULL,
    PRIMARY KEY (room, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

-- No reference to rooms or users: the append has locked the room's row, and a look-up of the sender
-- for every row is a price without a buyer (rights are checked before a post gets here).
-- Every index that starts with the room costs a page per room in each commit, so there is one only:
-- ids rise with time and land on one page; at_us rises with seq within a room, so a time is looked
-- up by halving (room, seq).
CREATE TABLE posts (
    room uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 1),
    id uuid NOT NULL,
    sender uuid NOT NULL,
    at_us bigint NOT NULL,
    kind smallint NOT NULL CHECK (kind IN (1, 2)), -- cf_post_kind_t
    text text COLLATE "C" NOT NULL
        CHECK (char_length(text) BETWEEN 1 AND 1000 AND octet_length(text) <= 4000),
    PRIMARY KEY (room, seq)
);
CREATE UNIQUE INDEX posts_by_id ON posts (id);

CREATE TABLE post_keys (
    room uuid NOT NULL,
    sender uuid NOT NULL,
    client_key text COLLATE "C" NOT NULL CHECK (octet_length(client_key) BETWEEN 1 AND 64),
    seq bigint NOT NULL,
    id uuid NOT NULL,
    at_us bigint NOT NULL,
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 16),
    PRIMARY KEY (room, sender, client_key)
);
CREATE INDEX post_keys_by_time ON post_keys (at_us);
