-- Of a node, its node.gone_after in microseconds: the same for all that are there. NULL: it is older than this column.

ALTER TABLE nodes ADD COLUMN gone_after_us bigint CHECK (gone_after_us > 0);
