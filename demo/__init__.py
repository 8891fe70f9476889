"""The demonstration: new hires in a SQL warehouse become invitations in a local m3ter, run by real Airflow."""
