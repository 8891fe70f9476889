"""The command ``m3ter-onboarding``: ``command`` reads the arguments; each of ``init``, ``check``, ``ddl`` is a file."""
