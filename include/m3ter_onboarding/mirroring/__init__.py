"""What m3ter holds is read into the ledger's database, and what has no answer is settled from it.

Read ``organisation`` (what is read and where it goes), ``m3ter_lists`` (the reading), ``reconciliation`` (what the
ledger learns from it), then ``lost_answers`` (invitations whose outcome is unknown are looked up).
"""
