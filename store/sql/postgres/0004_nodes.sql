-- Who is a node of this chat, and whose each room is. Times are microseconds UTC by the clock of this database.

CREATE TABLE nodes (
    number bigint PRIMARY KEY CHECK (number BETWEEN 1 AND 4294967295), -- of one process, from its start to its end
    name text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 63),
    endpoint text COLLATE "C" NOT NULL CHECK (octet_length(endpoint) <= 127), -- of its mesh; empty: none
    public_key text COLLATE "C" NOT NULL CHECK (octet_length(public_key) IN (0, 40)), -- CURVE, Z85
    version int NOT NULL, -- of the messages it speaks
    entered_us bigint NOT NULL,
    beat_us bigint NOT NULL,   -- its latest heartbeat,
    steady_us bigint NOT NULL, -- and since when none has been missing
    unheard bigint[] NOT NULL DEFAULT '{}', -- the others it does not hear through the mesh
    gone_us bigint, -- since when, for ever; NULL: it is there
    gone_why smallint CHECK (gone_why BETWEEN 1 AND 4), -- cf_node_end_t
    CHECK ((gone_us IS NULL) = (gone_why IS NULL))
);
CREATE UNIQUE INDEX nodes_there ON nodes (name) WHERE gone_us IS NULL;

-- 0: nobody's. A node that is gone, or has no row any more, owns nothing.
ALTER TABLE rooms ADD COLUMN owner bigint NOT NULL DEFAULT 0;
