"""Databases that warehouse and ledger are in, reached through Airflow's connections.

``kinds`` lists those that are known, with what each needs installed. Read ``connections`` (an Airflow connection
becomes an engine, which connects as its hook does: ``hook_connections``), ``failures`` (whether an error may pass by
itself, and what may be said about it), then ``batches`` (long lists in parts) and ``spool`` (rows that wait on the
worker's disk).
"""
