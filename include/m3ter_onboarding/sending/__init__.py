"""A sealed plan is sent, each invitation exactly once (docs/delivery.md, rules 8 to 15).

An invitation passes ``approval`` and ``right_to_send``, then ``sender`` (claim, begin, POST, record), which asks
``lease``, ``pause_switch``, ``stop_signals`` and ``circuit_breaker`` before each ``attempt``.
"""
