-- Version 4: the worklist, what the query has beside a person's own columns, and m3ter's whole answers and entries.
-- Before workers are upgraded it is safe: workers of version 3 write rows without the new columns, and ask for the
-- upgrade in `snapshot`.

-- Released: this file never changes. A further change of the tables is a step of its own.

ALTER TABLE {schema}m3ter_onboarding_decision ADD COLUMN IF NOT EXISTS extra JSON;
ALTER TABLE {schema}m3ter_onboarding_decision ADD COLUMN IF NOT EXISTS person_name VARCHAR(250);
ALTER TABLE {schema}m3ter_onboarding_decision ADD COLUMN IF NOT EXISTS wrong_value VARCHAR(400);
ALTER TABLE {schema}m3ter_invitation ADD COLUMN IF NOT EXISTS answer JSON;
ALTER TABLE {schema}m3ter_mirror_invitation ADD COLUMN IF NOT EXISTS entry JSON;
ALTER TABLE {schema}m3ter_mirror_user ADD COLUMN IF NOT EXISTS entry JSON;
ALTER TABLE {schema}m3ter_mirror_user ADD COLUMN IF NOT EXISTS permission_policy_ids JSON;
ALTER TABLE {schema}m3ter_mirror_user ADD COLUMN IF NOT EXISTS policies_read_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE {schema}m3ter_mirror_invitation ADD COLUMN IF NOT EXISTS alias_key VARCHAR(400);
ALTER TABLE {schema}m3ter_mirror_user ADD COLUMN IF NOT EXISTS alias_key VARCHAR(400);
ALTER TABLE {schema}m3ter_mirror_policy ADD COLUMN IF NOT EXISTS statements_shown BOOLEAN;
ALTER TABLE {schema}m3ter_mirror_org ADD COLUMN IF NOT EXISTS name VARCHAR(200);
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN IF NOT EXISTS approval_because JSON;
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN IF NOT EXISTS no_approval_because TEXT;
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN IF NOT EXISTS sealed_until BIGINT;
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN IF NOT EXISTS seal VARCHAR(64);
ALTER TABLE {schema}m3ter_onboarding_plan ADD COLUMN IF NOT EXISTS approval_seal VARCHAR(64);
ALTER TABLE {schema}m3ter_onboarding_decision ADD COLUMN IF NOT EXISTS seal VARCHAR(64);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_run_outcome
    ON {schema}m3ter_onboarding_run (org_id, outcome, finished_at);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_decision_start
    ON {schema}m3ter_onboarding_decision (org_id, start_date);
CREATE UNIQUE INDEX IF NOT EXISTS uq_m3ter_onboarding_decision_employee
    ON {schema}m3ter_onboarding_decision
    (org_id, employee_id, plan_id, (CASE WHEN decision = 'invite' THEN -1 ELSE row_no END));
CREATE UNIQUE INDEX IF NOT EXISTS uq_m3ter_onboarding_decision_email
    ON {schema}m3ter_onboarding_decision
    (org_id, email_key, plan_id, (CASE WHEN decision = 'invite' THEN -1 ELSE row_no END));
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_decision_reason
    ON {schema}m3ter_onboarding_decision (plan_id, decision, row_no, reason);
DROP INDEX IF EXISTS {schema}ix_m3ter_onboarding_decision_kind;
DROP INDEX IF EXISTS {schema}ix_m3ter_onboarding_decision_employee;
DROP INDEX IF EXISTS {schema}ix_m3ter_onboarding_decision_email;
DROP INDEX IF EXISTS {schema}ix_m3ter_onboarding_decision_person;
DROP INDEX IF EXISTS {schema}uq_m3ter_onboarding_decision_invite_employee;
DROP INDEX IF EXISTS {schema}uq_m3ter_onboarding_decision_invite_email;
CREATE INDEX IF NOT EXISTS ix_m3ter_invitation_sent
    ON {schema}m3ter_invitation (org_id, sent_at);
CREATE INDEX IF NOT EXISTS ix_m3ter_mirror_invitation_alias
    ON {schema}m3ter_mirror_invitation (org_id, alias_key);
CREATE INDEX IF NOT EXISTS ix_m3ter_mirror_user_alias
    ON {schema}m3ter_mirror_user (org_id, alias_key);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_withheld (
    plan_id VARCHAR(36) NOT NULL,
    row_no INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    decision VARCHAR(20) NOT NULL,
    reason VARCHAR(50) NOT NULL,
    withheld_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (plan_id, row_no)
);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_worklist (
    item_id BIGSERIAL NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    person_key VARCHAR(420) NOT NULL,
    employee_id VARCHAR(250),
    email VARCHAR(400),
    email_key VARCHAR(400),
    decision VARCHAR(20) NOT NULL,
    reason VARCHAR(50) NOT NULL,
    detail TEXT,
    start_date DATE,
    person_name VARCHAR(250),
    wrong_value VARCHAR(400),
    invitation_id BIGINT,
    opened_plan_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    row_no INTEGER NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    config_name VARCHAR(200) NOT NULL,
    window_start TIMESTAMP WITH TIME ZONE NOT NULL,
    window_end TIMESTAMP WITH TIME ZONE NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    gone_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_why VARCHAR(20),
    closed_by VARCHAR(250),
    closed_plan_id VARCHAR(36),
    snoozed_until TIMESTAMP WITH TIME ZONE,
    note TEXT,
    noted_by VARCHAR(250),
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_worklist_question UNIQUE (org_id, person_key, decision, reason)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_worklist_open
    ON {schema}m3ter_onboarding_worklist (org_id, closed_at, window_start);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_day_one (
    item_id BIGSERIAL NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    person_key VARCHAR(420) NOT NULL,
    employee_id VARCHAR(250),
    email VARCHAR(400),
    email_key VARCHAR(400),
    start_date DATE,
    standing VARCHAR(30) NOT NULL,
    standing_since TIMESTAMP WITH TIME ZONE NOT NULL,
    decision VARCHAR(20) NOT NULL,
    reason VARCHAR(50) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    row_no INTEGER NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    invitation_id BIGINT,
    invitation_state VARCHAR(20),
    expires_at TIMESTAMP WITH TIME ZONE,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_why VARCHAR(20),
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_day_one_person UNIQUE (org_id, person_key)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_day_one_email
    ON {schema}m3ter_onboarding_day_one (org_id, email_key);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_day_one_employee
    ON {schema}m3ter_onboarding_day_one (org_id, employee_id);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_day_one_open
    ON {schema}m3ter_onboarding_day_one (org_id, ended_at, standing);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_chase (
    item_id BIGSERIAL NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    invitation_id BIGINT NOT NULL,
    employee_id VARCHAR(250),
    email VARCHAR(400),
    email_key VARCHAR(400),
    dag_id VARCHAR(250),
    start_date DATE,
    why VARCHAR(10) NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_why VARCHAR(20),
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_chase_invitation UNIQUE (org_id, invitation_id)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_chase_email
    ON {schema}m3ter_onboarding_chase (org_id, email_key);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_chase_employee
    ON {schema}m3ter_onboarding_chase (org_id, employee_id);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_chase_open
    ON {schema}m3ter_onboarding_chase (org_id, ended_at, why);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_day_one_pass (
    org_id VARCHAR(64) NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    config_name VARCHAR(200) NOT NULL,
    time_zone VARCHAR(100) NOT NULL,
    starts_within_days INTEGER NOT NULL,
    no_successful_run_days INTEGER,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    digest_day DATE,
    digest_token VARCHAR(36),
    PRIMARY KEY (org_id)
);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_organisation (
    org_id VARCHAR(64) NOT NULL,
    base_url TEXT NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_by VARCHAR(250),
    confirmed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (org_id)
);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_admission (
    dag_id VARCHAR(250) NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (dag_id, org_id)
);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_erased (
    org_id VARCHAR(64) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    key_hash VARCHAR(64) NOT NULL,
    erased_at TIMESTAMP WITH TIME ZONE NOT NULL,
    erasure_id VARCHAR(36) NOT NULL,
    PRIMARY KEY (org_id, kind, key_hash)
);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_erasure (
    erasure_id VARCHAR(36) NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    erased_at TIMESTAMP WITH TIME ZONE NOT NULL,
    erased_by VARCHAR(250) NOT NULL,
    what VARCHAR(50) NOT NULL,
    check_value VARCHAR(64) NOT NULL,
    counts JSON NOT NULL,
    PRIMARY KEY (erasure_id)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_erasure_org
    ON {schema}m3ter_onboarding_erasure (org_id, erased_at);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_access_read (
    read_id BIGSERIAL NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    config_name VARCHAR(200) NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    run_id VARCHAR(250) NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    outcome VARCHAR(20) NOT NULL,
    why TEXT,
    people INTEGER,
    users INTEGER,
    counts JSON NOT NULL,
    PRIMARY KEY (read_id)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_access_read_org
    ON {schema}m3ter_onboarding_access_read (org_id, outcome);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_access_job (
    read_id BIGINT NOT NULL,
    row_no INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    email_key VARCHAR(400),
    employee_id VARCHAR(250),
    end_given BOOLEAN NOT NULL,
    access_ends_at TIMESTAMP WITH TIME ZONE,
    permission_policies JSON,
    PRIMARY KEY (read_id, row_no)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_access_job_email
    ON {schema}m3ter_onboarding_access_job (read_id, email_key);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_access_job_employee
    ON {schema}m3ter_onboarding_access_job (read_id, employee_id);

CREATE TABLE IF NOT EXISTS {schema}m3ter_onboarding_access_review (
    item_id BIGSERIAL NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    finding VARCHAR(30) NOT NULL,
    m3ter_id VARCHAR(100) NOT NULL,
    email VARCHAR(400),
    email_key VARCHAR(400),
    employee_id VARCHAR(250),
    in_m3ter TEXT,
    wanted TEXT,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_access_review_finding UNIQUE (org_id, finding, m3ter_id)
);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_access_review_email
    ON {schema}m3ter_onboarding_access_review (org_id, email_key);
CREATE INDEX IF NOT EXISTS ix_m3ter_onboarding_access_review_open
    ON {schema}m3ter_onboarding_access_review (org_id, ended_at, finding);
