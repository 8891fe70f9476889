"""Reads of a ledger for the page in Airflow's UI: each a few bounded statements, none of which changes anything.

Read ``reader`` (how), ``scopes`` (which rows a reader of some DAGs sees; ``listed_values`` and ``reader_sets``: as
sets within a statement), ``bounded_counts`` and ``shortened_texts`` (no answer grows with the ledger); then
``invitation_list`` with its ``invitation_ranges``, ``list_places`` and ``address_search``, ``listed_names`` (of people,
in all lists), ``run_history`` with
``run_counts``, ``plan_figures`` and ``plan_heads``, ``plan_comparison``, ``overview_figures`` (its parts:
``ledger_counts``, ``dag_figures``, ``starting_figures``), ``invitation_trends`` (``sending_runs``: of which runs),
``person_history``, ``review_list``, ``open_questions`` with its ``question_context`` (``question_selection``: several
at once), ``access_list`` and ``starting_list`` (``since_listed``: what has changed since that list was made).
``numbered_pages`` turns those that are sorted by number. Their dataclasses are the page's answers.
"""
