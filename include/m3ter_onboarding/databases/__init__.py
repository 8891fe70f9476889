"""Databases that warehouse and ledger are in, reached through Airflow's connections.

Read ``connections`` (an Airflow connection becomes an engine), then ``failures`` (what may be said about an error).
"""
