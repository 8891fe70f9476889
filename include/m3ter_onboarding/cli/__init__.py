"""The command ``m3ter-onboarding``: ``command`` reads the arguments; ``init``, ``check`` and ``ddl`` are a file each."""
