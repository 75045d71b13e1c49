-- What is due and was not released yet is found lane by lane: of what falls due at once, one lane passes the others.
CREATE INDEX deliveries_unreleased_by_lane ON deliveries (lane, due_at)
  WHERE state = 'retry' AND released_until IS NULL;
-- For whoever asks about all that waits. By no time that it is due: the search for what is due would take it for its own
-- and read all that was released already.
CREATE INDEX deliveries_retrying ON deliveries (accepted_at) WHERE state = 'retry';
