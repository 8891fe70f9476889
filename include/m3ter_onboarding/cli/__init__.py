"""The command ``m3ter-onboarding``: begin, check, and make the ledger's tables by hand."""
