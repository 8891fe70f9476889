"""The tasks of the onboarding DAG, a step a file: ``snapshot``, ``plan``, ``approve``, ``send``, ``report``.

``onboarding_task`` holds what they share: the configuration, the way to ledger and m3ter, and how a task fails.
"""
