-- What is due and was not released yet is found without passing what was; what was released and not taken, by its lane.
CREATE INDEX deliveries_unreleased ON deliveries (due_at) WHERE state = 'retry' AND released_until IS NULL;
CREATE INDEX deliveries_released ON deliveries (channel, lane, released_until)
  WHERE state = 'retry' AND released_until IS NOT NULL;
CREATE INDEX schedules_unreleased ON schedules (due_at) WHERE state = 'pending' AND released_until IS NULL;
CREATE INDEX schedules_released ON schedules ((notification ->> 'lane'), released_until)
  WHERE state = 'pending' AND released_until IS NOT NULL;
