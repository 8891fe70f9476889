"""m3ter's lists are read into the ledger's database, and lost answers are settled from them.

Read ``mirror_pass`` (what the task ``snapshot`` does), ``mirrored_organisation`` (whose lists, and where they go),
``m3ter_lists`` (the reading), ``reconciliation`` (what the ledger learns from it), ``lost_answers`` (invitations whose
outcome is unknown are looked up), ``status_pass`` (the same for the status DAG, with fewer requests), and
``user_policies`` (which policies each user has, for the access review).
"""
