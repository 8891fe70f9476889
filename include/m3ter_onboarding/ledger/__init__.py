"""The ledger: what was decided, claimed, sent and found, in the warehouse (or beside it). All SQL over it is here.

Read ``states`` and ``tables``. Then, on the way of an invitation: ``runs``, ``mirror`` (m3ter's lists) and
``mirror_comparison``, ``catch_up`` (how far back a run reads), ``people``, ``plans``, ``decisions``, ``claims`` (which
invitations a sender may send; ``claim_statements`` is its SQL), ``outcomes`` and ``open_invitations``, ``remaining``
(what is left), ``worklist`` and ``differences`` (what a person can still change), ``results`` and ``person_view`` (for
the warehouse). ``erasure`` removes people's data (``personal_columns``: where they are), and ``erased_people`` keeps
them from coming back. ``reads/`` is for Airflow's page.

Below them: ``database`` (transactions), ``sql_types``, ``schema`` and ``upgrades`` (tables are made and brought up to
date, by the steps in ``migrations/``), ``guard_proof`` (whether this database can guard sending).
"""
