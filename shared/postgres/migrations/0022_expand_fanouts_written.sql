-- Recipients whose rows were written when the notification was withdrawn or expired; null before. To those behind it
-- nothing goes any more, and they are told so.
ALTER TABLE fanouts ADD COLUMN written integer;
