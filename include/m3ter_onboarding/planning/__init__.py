"""Every row of the query gets one decision, and the plan is sealed.

A plan may have a million rows, of which a few thousand are in memory at once. Read ``run_start`` (which days a run is
for, and whether it may send), then ``sealed_plan`` and ``decided_rows`` (all of a plan that is not written, also for
``check``), which drive the rest: ``read_rows`` (the query's rows, on disk) and ``shared_keys`` (which of them must be
decided together), ``plan_contents`` (what a plan's head has to say of all decisions), ``erased_rows`` (people whose
data were erased), ``facts`` (ledger and mirror, looked up for the hires), ``planner`` (here it is decided whether
somebody is invited, by the ``plan_settings``, ``restrictions``, ``warehouse_exclusions``, ``employee_versions``,
``granted_policies``, each ``address_status`` and the ``occasion``), ``aliases`` and ``employee_spellings`` (addresses
and ids that may be somebody's second), ``approval_rule`` (why a person must approve), ``fingerprint`` (the hash of all
that will be POSTed) and ``explanation`` (how a row came to its decision, for the log). ``rare_collections`` makes
Python's garbage collection rarer, here and while a sender works.
"""
