-- Version 3: who was asked, decided by hand or rejected, and the indexes by which Airflow's page lists the ledger.
-- Before workers are upgraded it is safe for the rows, and a run that has begun goes on sending; workers of version 2
-- then fail in `snapshot` and `report`, and ask for the upgrade. The indexes alone can be made at any time before; on a
-- large ledger they take a while.

-- Released: this file never changes. A further change of the tables is a step of its own.

ALTER TABLE {schema}m3ter_invitation_event ADD COLUMN decided_by VARCHAR(250);
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN asked_at DATETIME;
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN rejected_by VARCHAR(250);
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN rejected_at DATETIME;

CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_run_started
    ON {schema}m3ter_onboarding_run (dag_id, started_at);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_run_org
    ON {schema}m3ter_onboarding_run (dag_id, org_id);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_plan_created
    ON {schema}m3ter_onboarding_plan (dag_id, created_at);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_decision_kind
    ON {schema}m3ter_onboarding_decision (plan_id, decision, row_no);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_decision_person
    ON {schema}m3ter_onboarding_decision (plan_id, employee_id);
CREATE INDEX IF NOT EXISTS ix_m3ter_invitation_run
    ON {schema}m3ter_invitation (dag_id, run_id, state);
CREATE INDEX IF NOT EXISTS ix_m3ter_invitation_by_changed
    ON {schema}m3ter_invitation (org_id, coalesce(dag_id, ''), state, updated_at, invitation_id);
CREATE INDEX IF NOT EXISTS ix_m3ter_invitation_by_address
    ON {schema}m3ter_invitation (org_id, coalesce(dag_id, ''), state, email_key, invitation_id);
CREATE INDEX IF NOT EXISTS ix_m3ter_invitation_by_expires
    ON {schema}m3ter_invitation (org_id, coalesce(dag_id, ''), state, expires_at, invitation_id);
