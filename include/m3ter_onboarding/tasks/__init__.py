"""The tasks, a step a file: ``snapshot``, ``plan``, ``approve``, ``send``, ``report`` of the onboarding DAG.

``follow`` and ``erase_people`` are those of the status DAG, ``review_access`` is that of the access review,
``readiness`` and ``digest`` are those of the day-one DAG.
``onboarding_task`` holds what they share: the configuration, and the way to ledger and m3ter. ``task_errors`` is where
errors become sentences, ``planned_summary`` what ``plan`` leaves for later tasks, ``task_states`` what Airflow knows,
``assets`` what other DAGs may be scheduled by.
"""
