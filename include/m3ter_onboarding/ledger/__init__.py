"""The ledger: what was decided, claimed, sent and found, in the warehouse (or beside it). All SQL over it is here.

Read ``states`` (and how they change) and ``tables``. Then, in the order of a run:

- ``runs``; ``known_hosts`` (which m3ter an organisation is, and who was let in); ``mirror`` (m3ter's lists;
  ``mirror_entries`` is one of its rows) and ``mirror_comparison`` (what they say of the ledger's invitations);
  ``unread_entries`` (which of them must be read by themselves);
- ``catch_up`` (how far back a run reads), ``first_look`` (whether a person could see what would be sent), ``people``
  (the ledger's rows of a plan's hires), ``plans`` and ``plan_counts``, ``decisions`` (``decision_names`` has their
  words, ``decision_rows`` writes them), ``sealing`` (keyed hashes that bind them, and ``sealed_requests``, which reads
  them back), ``withheld`` (people that later settings hold back), ``rejections`` (people of plans that were not
  approved);
- ``claims`` (which invitations a sender may send; ``claim_statements`` is the SQL), ``outcomes`` (a change of state,
  and its ``events``), ``answer_groups`` (of m3ter), ``open_invitations`` (of unknown outcome), ``remaining`` (who
  is left);
- ``worklist`` (what a person can still change; ``worklist_decisions`` by them, ``worklist_counts`` in figures),
  ``request_differences`` (where m3ter holds something else than was asked), ``manual_decisions`` (about an invitation);
- ``reviewed_access`` (who has access, read for the access review), ``access_reads`` (whether a read of the jobs may be
  believed), ``unread_policies`` (of users) and ``access_findings``;
- ``starting_people`` (the newest decision about people who start soon), ``day_one`` (where they stand) and ``chase``
  (invitations that nobody has accepted), both of them ``lasting_lists``; ``day_one_pass`` makes both, and has the
  figures of the digest; ``figures`` are those for metrics;
- ``results`` and ``person_view`` (for the warehouse); ``reads/`` (for the page in Airflow's UI);
- ``erasure`` of one person and ``erasure_by_age`` (``personal_columns``: where people's data are), ``erased_people``
  (nobody comes back).

Below them: ``database`` (transactions; ``private_file``: SQLite's file is its owner's), ``sql_types``, ``statements``
(each built once), ``key_sets`` (thousands of keys in one statement), ``storable_values`` (what every database can
store), ``schema`` and ``upgrades`` (tables are made and brought up to date, by the steps in ``migrations/``),
``other_writers`` (who else may write to it), ``needed_rights`` (what a run has to be allowed), ``guard_proof`` (whether
this database can guard sending).
"""
