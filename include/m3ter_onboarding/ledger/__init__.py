"""The ledger: what was decided, claimed, sent and found, in the warehouse (or beside it).

All SQL over these tables lives in this package, one module a concern: ``tables`` (the schema),
``database`` (transactions, the database's clock), ``runs`` (runs, plans, decisions), ``mirror`` (what m3ter
holds), ``claims`` (who may send what), ``outcomes`` (what became of it) and ``counts`` (what is left).
"""
