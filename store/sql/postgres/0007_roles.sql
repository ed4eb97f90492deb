-- What each node does for the others.

ALTER TABLE nodes ADD COLUMN roles bigint NOT NULL DEFAULT 3; -- bits, base/roles.h; 3: what all did before this
