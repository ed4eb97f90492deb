-- Users who may not use the server for now. Times are microseconds UTC.

ALTER TABLE users ADD COLUMN disabled_us INTEGER; -- since when; NULL: enabled
