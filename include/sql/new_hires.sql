-- The new hires whose row reached the warehouse in [:window_start, :window_end), both in UTC.
--
-- The columns are the contract, in any order:
--   employee_id, email, first_name, last_name              must be there, and are never empty
--   contact_number, permission_policies, start_date,       may be left out, and may be NULL
--   access_end_date, time_zone
-- Any other column is an error. permission_policies: names or ids, with commas between, as a JSON list or an array.
-- Of several rows of one person one is used; nobody is invited twice.
--
-- PostgreSQL: the session's time zone is UTC. SQLite: the two parameters are text 'YYYY-MM-DD HH:MM:SS'; where
-- loaded_at is written otherwise, compare datetime(loaded_at).
SELECT
    employee_id,
    work_email AS email,
    first_name,
    last_name,
    mobile_number AS contact_number,
    m3ter_policies AS permission_policies,
    start_date,
    end_date AS access_end_date,
    office_time_zone AS time_zone
FROM hr.employees
WHERE loaded_at >= :window_start
  AND loaded_at < :window_end
