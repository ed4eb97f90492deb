-- The bot: its identity, and the commands it could not carry out. Times are microseconds UTC.

-- The name is the bot's in any case of letters. Registration never lets it through, so whoever has it
-- came from elsewhere: such an account keeps everything but the name, and its address if that is in the
-- way. An address without '@' is one nobody can register.
UPDATE users SET username = 'StockBot_' || lower(hex(randomblob(16)))
    WHERE lower(username) = 'stockbot' AND id <> x'b07b07b07b078b078b07b07b07b07b07';
UPDATE users SET email = 'stockbot_' || lower(hex(randomblob(16)))
    WHERE email = 'stockbot' AND id <> x'b07b07b07b078b078b07b07b07b07b07';
INSERT INTO users (id, username, email, password_hash, created_us)
    VALUES (x'b07b07b07b078b078b07b07b07b07b07', 'StockBot', 'stockbot', '',
            CAST(strftime('%s', 'now') AS INTEGER) * 1000000)
    ON CONFLICT (id) DO UPDATE SET username = excluded.username, email = excluded.email,
                                   password_hash = '';

-- No reference to rooms: a letter is kept whatever becomes of its room.
CREATE TABLE dead_letters (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- of the command
    room BLOB NOT NULL CHECK (length(room) = 16),
    at_us INTEGER NOT NULL,
    command TEXT NOT NULL CHECK (length(CAST(command AS BLOB)) BETWEEN 1 AND 64
                                 AND instr(command, char(0)) = 0),
    reason TEXT NOT NULL CHECK (length(CAST(reason AS BLOB)) BETWEEN 1 AND 200
                                AND instr(reason, char(0)) = 0),
    attempts INTEGER NOT NULL CHECK (attempts >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_age ON dead_letters (at_us, id);
