"""Rows of the warehouse become new hires.

Read ``window`` (which days the query reads), ``warehouse`` (the query is run), ``columns`` (its columns are checked
against the contract), ``routing`` (rows of other organisations are left out), ``new_hire`` (here a row becomes a hire,
or the decision ``invalid``), ``email_addresses`` (as they will be sent), ``current_job`` (the access review's rows),
``excluded_people`` (rows of ``exclude.query``), ``local_days`` (days where a person is), ``driver_values`` (values of
any driver become text, dates and lists), ``unreadable_values`` (values that a driver fails on reach their row all the
same) and ``session_zone`` (the session that reads is in UTC).
"""
