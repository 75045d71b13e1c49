-- Hours in which a recipient wants no push and no mail outside the urgent lane, by the clocks of the user's time zone.

ALTER TABLE users
  ADD COLUMN quiet_from time,
  ADD COLUMN quiet_to time,              -- smaller than quiet_from: on the next day
  ADD CONSTRAINT users_quiet_hours CHECK ((quiet_from IS NULL) = (quiet_to IS NULL) AND quiet_from <> quiet_to);

-- Push asks about nothing else of a user: where nobody has quiet hours, it asks an empty index.
CREATE INDEX users_quiet ON users (tenant, id) WHERE quiet_from IS NOT NULL;

-- The instant a wall clock shows `local`. A time a clock change skips moves forward by what was skipped, one it shows
-- twice is the earlier, as with schedules. PostgreSQL by itself takes the later of two.
CREATE FUNCTION instant_of(local timestamp, zone text) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN early AT TIME ZONE zone = local THEN early ELSE late END
  FROM (SELECT local AT TIME ZONE zone AS late)
  CROSS JOIN LATERAL (SELECT late - interval '24 hours' AS day_before)
  CROSS JOIN LATERAL (
    SELECT (local - (day_before AT TIME ZONE zone - day_before AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC' AS early)
$$;

-- When the quiet hours end that `at` lies in; null outside of them, or where there are none. A zone that PostgreSQL does
-- not know is read as UTC, since whoever claims a batch must not stumble over one user.
CREATE FUNCTION quiet_until(at timestamptz, begins time, ends time, zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
  today date;
BEGIN
  today := at AT TIME ZONE zone;
  RETURN (
    SELECT max(until)
    FROM unnest(ARRAY[today - 1, today]) AS day
    CROSS JOIN LATERAL (
      SELECT instant_of(day + begins, zone) AS since,
        instant_of(CASE WHEN ends < begins THEN day + 1 ELSE day END + ends, zone) AS until)
    WHERE since <= at AND at < until
  );
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN quiet_until(at, begins, ends, 'UTC');
END $$;
