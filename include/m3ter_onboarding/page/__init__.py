"""The page in Airflow's UI, behind Airflow's login and permissions; the SQL is in ``ledger/reads``.

Read ``plugin`` (how Airflow finds it), ``app``, ``access`` (who sees what), then ``routes``; ``static`` is the
browser's side.
"""
