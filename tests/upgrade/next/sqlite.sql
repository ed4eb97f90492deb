-- serves: @NEWEST@
-- Never released: what a version to come may do to tables that this one goes on to write.

ALTER TABLE posts ADD COLUMN edited_us INTEGER CHECK (edited_us > 0);
ALTER TABLE users ADD COLUMN seen_us INTEGER;
ALTER TABLE rooms ADD COLUMN topic TEXT CHECK (length(CAST(topic AS BLOB)) <= 400);
CREATE INDEX posts_by_edit ON posts (room, edited_us) WHERE edited_us IS NOT NULL;
CREATE TABLE reactions (
    room BLOB NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (room, seq, user_id)
) STRICT, WITHOUT ROWID;
