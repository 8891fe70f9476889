-- SQLite: the new hires whose row was loaded in [:window_start, :window_end), two instants in UTC.
-- The table and its columns are examples: put yours in their place.
--
-- The columns are the contract, in any order; any other is an error.
--   employee_id, email, first_name, last_name           must be there, and are never empty
--   contact_number, permission_policies, start_date,    may be left out, and may be NULL
--   access_end_date, time_zone
-- permission_policies: names or ids, with commas between. Dates are dates, or text such as 2026-11-30.
-- Reading a row twice does no harm: nobody is invited twice.
-- SQLite has no type for time: the parameters are text 'YYYY-MM-DD HH:MM:SS', and datetime() brings loaded_at to that.
SELECT
    CAST(employee_number AS TEXT) AS employee_id,
    work_email AS email,
    first_name,
    last_name,
    mobile_number AS contact_number,
    m3ter_policies AS permission_policies, -- or: CASE WHEN department = 'Finance' THEN 'Analyst' END
    date(start_date) AS start_date,
    date(last_day) AS access_end_date,
    office_time_zone AS time_zone
FROM employees
WHERE datetime(loaded_at) >= :window_start
  AND datetime(loaded_at) < :window_end

-- No such column? Then instead of the two lines above, everybody from `max_age_days` (90) after their start to
-- `invite_days_before_start` (14) before it, in each run; people who are entered late
-- are among them. Rows without a start_date are not read.
-- WHERE date(start_date) >= date(:window_start, '-90 days')
--   AND date(start_date) <= date(:window_end, '+14 days')
