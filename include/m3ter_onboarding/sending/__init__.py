"""A sealed plan is sent, each invitation exactly once (docs/delivery.md, rules 8 to 15).

A plan passes ``approval`` (``approval_question`` is what a person reads), ``right_to_send``, ``bound_plan`` (whether
the ledger still holds what was planned and approved) and ``preflight`` (``todays_settings`` hold back whom a setting of
later forbids); then ``sender`` claims its invitations, records that an attempt begins, and hands it to ``in_flight``,
where each ``attempt`` passes the ``gate`` and its ``lease`` before its POST. Its end reaches the ledger by the
``outbox``; ``progress`` logs it, ``settling_wait`` waits for open invitations, ``unsent_reasons`` explains why somebody
is left. ``recurring_checks`` (of m3ter and the ``pause_switch``), ``stop_signals`` and ``circuit_breaker`` close the
gate.
"""
