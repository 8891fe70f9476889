-- The people of finance whose row reached the demo's warehouse (SQLite) in the window.
SELECT
    employee_id,
    email,
    first_name,
    last_name,
    contact_number,
    permission_policies,
    start_date,
    access_end_date,
    time_zone
FROM finance_hires
WHERE loaded_at >= :window_start
  AND loaded_at < :window_end
