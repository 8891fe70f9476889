"""Figures of this project against its peers, taken in one run on one machine: ``python -m benchmarks``.

- ``peers``: invitations a second, CPU, memory, doubles and losses, against raw aiohttp, the official SDK and HttpHook
- ``startup``: the five tasks of a run of ten people, against five empty ones
- ``pacing``, ``backpressure``: the pace at a strict limit, one process and several
- ``planning``, ``claiming``: a plan of many people, and its claims
- ``scale``: plans for a million people, many sent, m3ter read again, on a ledger that is years old
- ``page``: statements and time of the overview, by organisations and invitations
- ``import_time``, ``many_organisations``: DAG files in the DAG processor

Modules that begin with an underscore are parts of these.
"""
