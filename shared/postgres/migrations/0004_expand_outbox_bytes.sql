-- The outbox keeps its records as bytes that nothing in the database reads: parsing them as jsonb, and compressing
-- them for the ten seconds at most that they stay, took more time than the rest of the row.

ALTER TABLE outbox ADD COLUMN packed bytea;
UPDATE outbox SET packed = convert_to((
  SELECT jsonb_agg(jsonb_build_array(
    record -> 'topic',
    CASE WHEN record -> 'key' <> 'null' THEN jsonb_build_object('base64', record -> 'key') END,
    CASE WHEN record -> 'value' <> 'null' THEN jsonb_build_object('base64', record -> 'value') END,
    (SELECT coalesce(jsonb_agg(jsonb_build_array(header -> 0, jsonb_build_object('base64', header -> 1))), '[]')
     FROM jsonb_array_elements(record -> 'headers') AS header)
  ))::text
  FROM jsonb_array_elements(records) AS record
), 'UTF8');
ALTER TABLE outbox DROP COLUMN records;
ALTER TABLE outbox RENAME COLUMN packed TO records;
ALTER TABLE outbox ALTER COLUMN records SET NOT NULL, ALTER COLUMN records SET STORAGE EXTERNAL;
COMMENT ON COLUMN outbox.records IS 'UTF-8 JSON: [[topic, key, value, [[header, value]]]], each value as shared.postgres.outbox packs it';
