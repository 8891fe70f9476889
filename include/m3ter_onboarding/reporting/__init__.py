"""The result of a run, for people: the log, the warehouse, alerts.

Read ``run_outcome`` (the run's colour), ``run_report`` (counts and lines; ``run_links`` leads to the page), then
``published_tables`` (their ``published_types`` in each warehouse) and ``publication`` (the copy in the warehouse;
``publication_rehearsal`` tries it), and ``alerts``
(``failure_cause``: why a run failed; ``notifier_classes``: which may be imported, by their ``notifier_sources``;
``digest_text``: what the digest says).
``access_review`` compares access with jobs (``access_comparison``: one person). ``erasure_everywhere`` removes people's
data from the ledger and from what was published (``published_erasure``). ``metrics`` and ``spans`` are for those on
call, ``lineage`` is for catalogues of data.
"""
