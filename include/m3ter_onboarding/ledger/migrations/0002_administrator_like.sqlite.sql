-- Version 2: the mirror holds which permission policies let people do everything.
-- Before workers are upgraded it is safe for the rows, and a run that has begun goes on sending; workers of version 1
-- then fail in `snapshot` and `report`, and ask for the upgrade.

-- Released: this file never changes. A further change of the tables is a step of its own.

ALTER TABLE {schema}m3ter_mirror_policy ADD COLUMN administrator_like BOOLEAN;

-- Without a complete snapshot there is no plan, so that the next snapshot reads the policies before anybody is planned.
-- Run once more later, this changes nothing.
UPDATE {schema}m3ter_mirror_org SET complete_ms = NULL
    WHERE NOT EXISTS (SELECT 1 FROM {schema}m3ter_onboarding_schema WHERE version >= 2);
