"""The command ``m3ter-onboarding``: ``command`` reads the arguments; each of its words is a file.

``init`` (for the kinds of database in ``warehouses``), ``check`` (with ``check_ledger`` and ``dry_plan``), ``ddl``,
``erase`` and ``same_m3ter``; what goes wrong is a ``failure``.
"""
