"""The page "m3ter onboarding" inside Airflow's UI: what the ledger holds, for those who may read its DAGs."""
