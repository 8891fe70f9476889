"""What the page in Airflow's UI reads of a ledger: each a few bounded statements, none of which changes anything.

Read ``reader`` (how), ``scopes`` (which rows a reader of some DAGs sees), then a list at a time.
"""
