-- The bot: its identity, and the commands it could not carry out. Times are microseconds UTC.

-- The name is the bot's in any case of letters. Registration never lets it through, so whoever has it
-- came from elsewhere: such an account keeps everything but the name, and its address if that is in the
-- way. An address without '@' is one nobody can register.
UPDATE users SET username = 'StockBot_' || replace(gen_random_uuid()::text, '-', '')
    WHERE lower(username) = 'stockbot' AND id <> 'b07b07b0-7b07-8b07-8b07-b07b07b07b07';
UPDATE users SET email = 'stockbot_' || replace(gen_random_uuid()::text, '-', '')
    WHERE email = 'stockbot' AND id <> 'b07b07b0-7b07-8b07-8b07-b07b07b07b07';
INSERT INTO users (id, username, email, password_hash, created_us)
    VALUES ('b07b07b0-7b07-8b07-8b07-b07b07b07b07', 'StockBot', 'stockbot', '',
            (extract(epoch FROM now()) * 1000000)::bigint)
    ON CONFLICT (id) DO UPDATE SET username = excluded.username, email = excluded.email,
                                   password_hash = '';

-- No reference to rooms: a letter is kept whatever becomes of its room.
CREATE TABLE dead_letters (
    id uuid PRIMARY KEY, -- of the command
    room uuid NOT NULL,
    at_us bigint NOT NULL,
    command text COLLATE "C" NOT NULL CHECK (octet_length(command) BETWEEN 1 AND 64),
    reason text COLLATE "C" NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 200),
    attempts int NOT NULL CHECK (attempts >= 0)
);
CREATE INDEX dead_letters_by_age ON dead_letters (at_us, id);
