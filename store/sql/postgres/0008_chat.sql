-- What all nodes of this chat share.

CREATE TABLE chat (
    is_here bool PRIMARY KEY DEFAULT true CHECK (is_here), -- one row
    limit_key uuid NOT NULL DEFAULT gen_random_uuid() -- hashes who is limited, so that all nodes find one bucket
);
INSERT INTO chat DEFAULT VALUES;
