"""Reads of a ledger for the page in Airflow's UI: each a few bounded statements, none of which changes anything.

Read ``reader`` (how), ``scopes`` (which rows a reader of some DAGs sees), ``bounded_counts`` and ``shortened_texts``
(no answer grows with the ledger); then ``invitation_list``, ``run_history``, ``plan_comparison``, ``overview_figures``,
``person_history``, ``review_list`` and its ``open_questions``, ``access_list`` and ``starting_list``. Their dataclasses
are the page's answers.
"""
