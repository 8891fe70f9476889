"""A local m3ter: the same paths, rules, limits and faults, with a mailbox page.

Nothing here is shared with the provider or the application, so that a misreading of m3ter's documents cannot agree with
itself. The package runs as a command (``m3ter-sandbox``), in tests as a context manager
(:class:`m3ter_sandbox.testing.SandboxServer`) and as the pytest fixture ``m3ter_sandbox``.

How a request passes, and the module of each step:

1. :mod:`~m3ter_sandbox.server`: uvicorn; its connections can be reset by a fault (:mod:`~m3ter_sandbox.connections`).
2. :mod:`~m3ter_sandbox.app`: what :mod:`~m3ter_sandbox.admission` admits is passed on: ``/_sandbox/…`` goes to
:mod:`~m3ter_sandbox.control`, the mailbox to :mod:`~m3ter_sandbox.mailbox_page`, everything else to the gate. 3.
:mod:`~m3ter_sandbox.gate`: writes the journal (:mod:`~m3ter_sandbox.journal`), applies the rate limits
(:mod:`~m3ter_sandbox.limits`) and the faults (:mod:`~m3ter_sandbox.faults`). 4. :mod:`~m3ter_sandbox.api`: m3ter's 18
operations as plain functions from a request to an answer, with no server and no waiting: tokens
(:mod:`~m3ter_sandbox.tokens`), request rules (:mod:`~m3ter_sandbox.bodies`, :mod:`~m3ter_sandbox.paging`), answers in
the document's schemas (:mod:`~m3ter_sandbox.answers`). 5. :mod:`~m3ter_sandbox.organization`: what an organisation does
(invite, accept, …) over one SQLite database (:mod:`~m3ter_sandbox.store`), whether in memory or in a file.

:mod:`~m3ter_sandbox.sandbox` puts these parts together.

What m3ter's documents leave open is a switch (:mod:`~m3ter_sandbox.switches`); ``docs/sandbox.md`` lists them.
"""
