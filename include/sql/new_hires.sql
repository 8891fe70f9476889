-- The new hires whose row reached the warehouse in [:window_start, :window_end), both in UTC.
-- The columns are the contract (docs/new-hires.md): employee_id, email, first_name and last_name must be there,
-- the others may be left out, and no other column is allowed.
-- On SQLite the two parameters are text 'YYYY-MM-DD HH:MM:SS': compare datetime(loaded_at), not loaded_at.
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
