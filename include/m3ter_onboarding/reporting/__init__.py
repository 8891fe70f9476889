"""The result of a run, for people: the log, the warehouse, alerts.

Read ``run_report`` (counts and lines), ``run_outcome`` (the run's colour), then ``published_tables`` and
``publication`` (the copy in the warehouse), and ``alerts``.
"""
