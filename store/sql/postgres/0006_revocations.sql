-- Sessions that were ended, for nodes that did not hear of it. Times are microseconds UTC by the clock of this database.

CREATE TABLE revocations (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), -- of the transaction that ended it: who reads on from the oldest that
                                                    -- was open when it last read misses none, whatever order they commit in
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    at_us bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::int8,
    session uuid,     -- that was ended,
    token_hash bytea, -- and the hash of its token; NULL:
    user_id uuid,     -- all of this user,
    asked_us bigint,  -- at that time by the clock of whoever asked: tells one disabling from the next
    PRIMARY KEY (xid, id),
    CHECK ((session IS NULL) = (token_hash IS NULL) AND (session IS NULL) <> (user_id IS NULL)
           AND (user_id IS NULL) = (asked_us IS NULL))
);
CREATE INDEX revocations_by_time ON revocations (at_us);
