"""The parts of ``python -m benchmarks peers``: one server, and a process for each peer that sends to it.

- ``server``: answers like m3ter, as quickly as it can; ``server_process``: starts and steers it
- ``work``: the task of one process; ``client``: does it, and measures it
- ``senders``: how each peer sends; ``delivery``: the whole way through the ledger; ``dag_run``: runs of Airflow
- ``cases``: who is measured with which numbers; ``figures``: medians, spreads and ratios
- ``table``, ``plot``: JSON, Markdown and SVG of the result
"""
