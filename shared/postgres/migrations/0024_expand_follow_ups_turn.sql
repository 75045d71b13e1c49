-- Whose turn it is, without passing all that wait.
CREATE INDEX follow_ups_turns ON follow_ups (turned_at);
