"""The page in Airflow's UI, behind Airflow's login and permissions; the SQL is in ``ledger/reads``.

Read ``plugin`` (how Airflow finds it), ``app``, ``access`` (who sees what), ``onboarding_dags``, ``airflow_runs``,
``pause_variable`` (what Airflow knows of them) and ``open_ledgers``, then ``routes``, ``answers`` and ``csv_export``;
``static`` is the browser's side. ``request_values``, ``bounded_response`` and ``strict_headers`` are what every
request passes; ``run_notes`` is what the scheduler calls. ``api_types.d.ts``, which ``make reference`` makes, holds the
types of the routes for the script's type check.
"""
