-- serves: @NEWEST@
-- Never released: what a version to come may do to tables that this one goes on to write. It locks them in another order than an append does.

ALTER TABLE posts ADD COLUMN edited_us bigint CHECK (edited_us > 0);
ALTER TABLE users ADD COLUMN seen_us bigint;
ALTER TABLE rooms ADD COLUMN topic text COLLATE "C" CHECK (octet_length(topic) <= 400);
CREATE INDEX posts_by_edit ON posts (room, edited_us) WHERE edited_us IS NOT NULL;
CREATE TABLE reactions (
    room uuid NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq bigint NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at_us bigint NOT NULL,
    PRIMARY KEY (room, seq, user_id)
);
