-- Every statement on posts names the room, so that the table may be partitioned or distributed by it.

-- A unique index of a partitioned table has to contain what it is partitioned by.
DROP INDEX posts_by_id;
CREATE UNIQUE INDEX posts_by_id ON posts (id, room);

-- Whose histories have a beginning to be cut off is asked of the rooms, as posts of all rooms could only be asked
-- of every partition. It changes with a room's first post and when posts expire, so an append still updates its row in place.
ALTER TABLE rooms ADD COLUMN oldest_us bigint NOT NULL DEFAULT 0; -- time of the oldest post; 0: there is none
UPDATE rooms SET oldest_us = first.at_us FROM (SELECT id, (SELECT at_us FROM posts WHERE room = rooms.id
    ORDER BY seq LIMIT 1) AS at_us FROM rooms WHERE last_seq > 0) first
    WHERE rooms.id = first.id AND first.at_us IS NOT NULL;
CREATE INDEX rooms_by_oldest ON rooms (oldest_us) WHERE oldest_us <> 0;

-- Makes posts a table of so many partitions, by hash of the room; what is in it is copied. Nobody may write meanwhile, and
-- the server does not need to know. docs/storage-at-scale.md
CREATE FUNCTION partition_posts(partitions int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF partitions NOT BETWEEN 2 AND 1024 THEN
        RAISE EXCEPTION 'partitions must be from 2 to 1024, not %', partitions;
    END IF;
    LOCK TABLE posts IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE posts RENAME TO posts_before;
    ALTER INDEX posts_by_id RENAME TO posts_before_by_id;
    ALTER INDEX posts_pkey RENAME TO posts_before_pkey;
    CREATE TABLE posts (LIKE posts_before INCLUDING ALL) PARTITION BY HASH (room);
    FOR i IN 0 .. partitions - 1 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF posts FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
                       'posts_' || i, partitions, i);
    END LOOP;
    INSERT INTO posts SELECT * FROM posts_before;
    DROP TABLE posts_before;
    ALTER INDEX posts_id_room_idx RENAME TO posts_by_id;
END $$;
