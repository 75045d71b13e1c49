-- What asks across the lanes is gone; where it still runs, the indexes that came before this serve it.
DROP INDEX deliveries_due;
DROP INDEX deliveries_unreleased;
