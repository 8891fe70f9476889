-- Oracle: the new hires whose row was loaded in [:window_start, :window_end), two instants in UTC.
-- The table and its columns are examples: put yours in their place.
--
-- The columns are the contract, in any order; any other is an error.
--   employee_id, email, first_name, last_name           must be there, and are never empty
--   contact_number, permission_policies, start_date,    may be left out, and may be NULL
--   access_end_date, time_zone
-- permission_policies: names or ids, with commas between. Dates are dates, or text such as 2026-11-30.
-- Reading a row twice does no harm: nobody is invited twice.
-- The session's time zone is UTC, so loaded_at may be TIMESTAMP WITH TIME ZONE or WITH LOCAL TIME ZONE; or TIMESTAMP
-- or DATE in UTC.
SELECT
    CAST(employee_number AS VARCHAR2(250)) AS employee_id,
    work_email AS email,
    first_name,
    last_name,
    mobile_number AS contact_number,
    m3ter_policies AS permission_policies, -- or: CASE WHEN department = 'Finance' THEN 'Analyst' END
    CAST(start_date AS DATE) AS start_date,
    CAST(last_day AS DATE) AS access_end_date,
    office_time_zone AS time_zone
FROM hr.employees
WHERE loaded_at >= CAST(:window_start AS TIMESTAMP)
  AND loaded_at < CAST(:window_end AS TIMESTAMP)

-- No such column? Then instead of the two lines above, everybody from `max_age_days` (90) after their start to
-- `invite_days_before_start` (14) before it, in each run; people who are entered late
-- are among them. Rows without a start_date are not read.
-- WHERE start_date >= TRUNC(CAST(:window_start AS DATE)) - 90
--   AND start_date <= TRUNC(CAST(:window_end AS DATE)) + 14
