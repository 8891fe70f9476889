-- The ledger's tables as version 4 of the schema made them. Never changed: tests upgrade them.

CREATE TABLE m3ter_invitation (
    invitation_id INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    email_key VARCHAR(400) NOT NULL,
    email VARCHAR(400) NOT NULL,
    generation INTEGER NOT NULL,
    employee_id VARCHAR(250),
    state VARCHAR(20) NOT NULL,
    origin VARCHAR(10) NOT NULL,
    m3ter_id VARCHAR(100),
    m3ter_user_id VARCHAR(100),
    inviting_principal_id VARCHAR(100),
    dag_id VARCHAR(250),
    run_id VARCHAR(250),
    plan_id VARCHAR(36),
    row_no INTEGER,
    request_hash VARCHAR(64),
    claim_token VARCHAR(36),
    lease_until_ms BIGINT,
    attempt INTEGER DEFAULT '0' NOT NULL,
    attempt_started_ms BIGINT,
    attempt_ended_ms BIGINT,
    first_absent_ms BIGINT,
    absences INTEGER DEFAULT '0' NOT NULL,
    http_status INTEGER,
    message TEXT,
    answer JSON,
    sent_at DATETIME,
    accepted_at DATETIME,
    expires_at DATETIME,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (invitation_id)
);

CREATE INDEX ix_m3ter_invitation_by_address ON m3ter_invitation (org_id, coalesce(dag_id, ''), state, email_key, invitation_id);

CREATE INDEX ix_m3ter_invitation_by_changed ON m3ter_invitation (org_id, coalesce(dag_id, ''), state, updated_at, invitation_id);

CREATE INDEX ix_m3ter_invitation_by_expires ON m3ter_invitation (org_id, coalesce(dag_id, ''), state, expires_at, invitation_id);

CREATE INDEX ix_m3ter_invitation_claim ON m3ter_invitation (claim_token);

CREATE INDEX ix_m3ter_invitation_employee ON m3ter_invitation (org_id, employee_id);

CREATE INDEX ix_m3ter_invitation_m3ter_id ON m3ter_invitation (org_id, m3ter_id);

CREATE INDEX ix_m3ter_invitation_run ON m3ter_invitation (dag_id, run_id, state);

CREATE INDEX ix_m3ter_invitation_sent ON m3ter_invitation (org_id, sent_at);

CREATE INDEX ix_m3ter_invitation_started ON m3ter_invitation (org_id, attempt_started_ms);

CREATE INDEX ix_m3ter_invitation_state ON m3ter_invitation (org_id, state);

CREATE UNIQUE INDEX uq_m3ter_invitation_generation ON m3ter_invitation (org_id, email_key, generation);

CREATE UNIQUE INDEX uq_m3ter_invitation_live_email ON m3ter_invitation (org_id, email_key) WHERE state IN ('accepted', 'adopted', 'review', 'sending', 'sent', 'unknown');

CREATE UNIQUE INDEX uq_m3ter_invitation_live_employee ON m3ter_invitation (org_id, employee_id) WHERE state IN ('accepted', 'adopted', 'review', 'sending', 'sent', 'unknown');

CREATE UNIQUE INDEX uq_m3ter_invitation_live_m3ter_id ON m3ter_invitation (org_id, m3ter_id) WHERE state IN ('accepted', 'adopted', 'review', 'sending', 'sent', 'unknown');

CREATE TABLE m3ter_invitation_event (
    event_id INTEGER NOT NULL,
    invitation_id INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    from_state VARCHAR(20),
    to_state VARCHAR(20) NOT NULL,
    why VARCHAR(60) NOT NULL,
    plan_id VARCHAR(36),
    claim_token VARCHAR(36),
    attempt INTEGER,
    http_status INTEGER,
    m3ter_id VARCHAR(100),
    message TEXT,
    decided_by VARCHAR(250),
    at DATETIME NOT NULL,
    PRIMARY KEY (event_id)
);

CREATE INDEX ix_m3ter_invitation_event_invitation ON m3ter_invitation_event (invitation_id);

CREATE TABLE m3ter_mirror_invitation (
    org_id VARCHAR(64) NOT NULL,
    m3ter_id VARCHAR(100) NOT NULL,
    email_key VARCHAR(400) NOT NULL,
    email VARCHAR(400) NOT NULL,
    accepted BOOLEAN NOT NULL,
    created_at DATETIME,
    modified_at DATETIME,
    expires_at DATETIME,
    inviting_principal_id VARCHAR(100),
    entry JSON,
    alias_key VARCHAR(400),
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    gone BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, m3ter_id)
);

CREATE INDEX ix_m3ter_mirror_invitation_alias ON m3ter_mirror_invitation (org_id, alias_key);

CREATE INDEX ix_m3ter_mirror_invitation_created ON m3ter_mirror_invitation (org_id, created_at);

CREATE INDEX ix_m3ter_mirror_invitation_email ON m3ter_mirror_invitation (org_id, email_key);

CREATE TABLE m3ter_mirror_org (
    org_id VARCHAR(64) NOT NULL,
    service_user_id VARCHAR(100),
    invitations_through DATETIME,
    invitations_full_at DATETIME,
    users_full_at DATETIME,
    policies_full_at DATETIME,
    complete_ms BIGINT,
    claims INTEGER DEFAULT '0' NOT NULL,
    name VARCHAR(200),
    PRIMARY KEY (org_id)
);

CREATE TABLE m3ter_mirror_policy (
    org_id VARCHAR(64) NOT NULL,
    m3ter_id VARCHAR(100) NOT NULL,
    name VARCHAR(200) NOT NULL,
    version BIGINT,
    managed BOOLEAN NOT NULL,
    administrator_like BOOLEAN,
    statements_shown BOOLEAN,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    gone BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, m3ter_id)
);

CREATE TABLE m3ter_mirror_user (
    org_id VARCHAR(64) NOT NULL,
    m3ter_id VARCHAR(100) NOT NULL,
    email_key VARCHAR(400) NOT NULL,
    email VARCHAR(400) NOT NULL,
    access_ends_at DATETIME,
    created_at DATETIME,
    entry JSON,
    alias_key VARCHAR(400),
    permission_policy_ids JSON,
    policies_read_at DATETIME,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    gone BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, m3ter_id)
);

CREATE INDEX ix_m3ter_mirror_user_alias ON m3ter_mirror_user (org_id, alias_key);

CREATE INDEX ix_m3ter_mirror_user_email ON m3ter_mirror_user (org_id, email_key);

CREATE TABLE m3ter_onboarding_access_job (
    read_id BIGINT NOT NULL,
    row_no INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    email_key VARCHAR(400),
    employee_id VARCHAR(250),
    end_given BOOLEAN NOT NULL,
    access_ends_at DATETIME,
    permission_policies JSON,
    PRIMARY KEY (read_id, row_no)
);

CREATE INDEX ix_m3ter_onboarding_access_job_email ON m3ter_onboarding_access_job (read_id, email_key);

CREATE INDEX ix_m3ter_onboarding_access_job_employee ON m3ter_onboarding_access_job (read_id, employee_id);

CREATE TABLE m3ter_onboarding_access_read (
    read_id INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    config_name VARCHAR(200) NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    run_id VARCHAR(250) NOT NULL,
    started_at DATETIME NOT NULL,
    finished_at DATETIME,
    outcome VARCHAR(20) NOT NULL,
    why TEXT,
    people INTEGER,
    users INTEGER,
    counts JSON NOT NULL,
    PRIMARY KEY (read_id)
);

CREATE INDEX ix_m3ter_onboarding_access_read_org ON m3ter_onboarding_access_read (org_id, outcome);

CREATE TABLE m3ter_onboarding_access_review (
    item_id INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    finding VARCHAR(30) NOT NULL,
    m3ter_id VARCHAR(100) NOT NULL,
    email VARCHAR(400),
    email_key VARCHAR(400),
    employee_id VARCHAR(250),
    in_m3ter TEXT,
    wanted TEXT,
    first_seen_at DATETIME NOT NULL,
    last_seen_at DATETIME NOT NULL,
    ended_at DATETIME,
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_access_review_finding UNIQUE (org_id, finding, m3ter_id)
);

CREATE INDEX ix_m3ter_onboarding_access_review_email ON m3ter_onboarding_access_review (org_id, email_key);

CREATE INDEX ix_m3ter_onboarding_access_review_open ON m3ter_onboarding_access_review (org_id, ended_at, finding);

CREATE TABLE m3ter_onboarding_admission (
    dag_id VARCHAR(250) NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    first_at DATETIME NOT NULL,
    last_at DATETIME NOT NULL,
    PRIMARY KEY (dag_id, org_id)
);

CREATE TABLE m3ter_onboarding_chase (
    item_id INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    invitation_id BIGINT NOT NULL,
    employee_id VARCHAR(250),
    email VARCHAR(400),
    email_key VARCHAR(400),
    dag_id VARCHAR(250),
    start_date DATE,
    why VARCHAR(10) NOT NULL,
    sent_at DATETIME,
    expires_at DATETIME,
    first_seen_at DATETIME NOT NULL,
    last_seen_at DATETIME NOT NULL,
    ended_at DATETIME,
    ended_why VARCHAR(20),
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_chase_invitation UNIQUE (org_id, invitation_id)
);

CREATE INDEX ix_m3ter_onboarding_chase_email ON m3ter_onboarding_chase (org_id, email_key);

CREATE INDEX ix_m3ter_onboarding_chase_employee ON m3ter_onboarding_chase (org_id, employee_id);

CREATE INDEX ix_m3ter_onboarding_chase_open ON m3ter_onboarding_chase (org_id, ended_at, why);

CREATE TABLE m3ter_onboarding_day_one (
    item_id INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    person_key VARCHAR(420) NOT NULL,
    employee_id VARCHAR(250),
    email VARCHAR(400),
    email_key VARCHAR(400),
    start_date DATE,
    standing VARCHAR(30) NOT NULL,
    standing_since DATETIME NOT NULL,
    decision VARCHAR(20) NOT NULL,
    reason VARCHAR(50) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    row_no INTEGER NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    invitation_id BIGINT,
    invitation_state VARCHAR(20),
    expires_at DATETIME,
    first_seen_at DATETIME NOT NULL,
    last_seen_at DATETIME NOT NULL,
    ended_at DATETIME,
    ended_why VARCHAR(20),
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_day_one_person UNIQUE (org_id, person_key)
);

CREATE INDEX ix_m3ter_onboarding_day_one_email ON m3ter_onboarding_day_one (org_id, email_key);

CREATE INDEX ix_m3ter_onboarding_day_one_employee ON m3ter_onboarding_day_one (org_id, employee_id);

CREATE INDEX ix_m3ter_onboarding_day_one_open ON m3ter_onboarding_day_one (org_id, ended_at, standing);

CREATE TABLE m3ter_onboarding_day_one_pass (
    org_id VARCHAR(64) NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    config_name VARCHAR(200) NOT NULL,
    time_zone VARCHAR(100) NOT NULL,
    starts_within_days INTEGER NOT NULL,
    no_successful_run_days INTEGER,
    first_at DATETIME NOT NULL,
    last_at DATETIME NOT NULL,
    digest_day DATE,
    digest_token VARCHAR(36),
    PRIMARY KEY (org_id)
);

CREATE TABLE m3ter_onboarding_decision (
    plan_id VARCHAR(36) NOT NULL,
    row_no INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    employee_id VARCHAR(250),
    email VARCHAR(400),
    email_key VARCHAR(400),
    decision VARCHAR(20) NOT NULL,
    reason VARCHAR(50) NOT NULL,
    detail TEXT,
    start_date DATE,
    person_name VARCHAR(250),
    wrong_value VARCHAR(400),
    request JSON,
    request_hash VARCHAR(64),
    seal VARCHAR(64),
    extra JSON,
    invitation_id INTEGER,
    decided_at DATETIME NOT NULL,
    PRIMARY KEY (plan_id, row_no)
);

CREATE INDEX ix_m3ter_onboarding_decision_reason ON m3ter_onboarding_decision (plan_id, decision, row_no, reason);

CREATE INDEX ix_m3ter_onboarding_decision_start ON m3ter_onboarding_decision (org_id, start_date);

CREATE UNIQUE INDEX uq_m3ter_onboarding_decision_email ON m3ter_onboarding_decision (org_id, email_key, plan_id, (CASE WHEN decision = 'invite' THEN -1 ELSE row_no END));

CREATE UNIQUE INDEX uq_m3ter_onboarding_decision_employee ON m3ter_onboarding_decision (org_id, employee_id, plan_id, (CASE WHEN decision = 'invite' THEN -1 ELSE row_no END));

CREATE TABLE m3ter_onboarding_erased (
    org_id VARCHAR(64) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    key_hash VARCHAR(64) NOT NULL,
    erased_at DATETIME NOT NULL,
    erasure_id VARCHAR(36) NOT NULL,
    PRIMARY KEY (org_id, kind, key_hash)
);

CREATE TABLE m3ter_onboarding_erasure (
    erasure_id VARCHAR(36) NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    erased_at DATETIME NOT NULL,
    erased_by VARCHAR(250) NOT NULL,
    what VARCHAR(50) NOT NULL,
    check_value VARCHAR(64) NOT NULL,
    counts JSON NOT NULL,
    PRIMARY KEY (erasure_id)
);

CREATE INDEX ix_m3ter_onboarding_erasure_org ON m3ter_onboarding_erasure (org_id, erased_at);

CREATE TABLE m3ter_onboarding_organisation (
    org_id VARCHAR(64) NOT NULL,
    base_url TEXT NOT NULL,
    first_seen_at DATETIME NOT NULL,
    confirmed_by VARCHAR(250),
    confirmed_at DATETIME,
    PRIMARY KEY (org_id)
);

CREATE TABLE m3ter_onboarding_plan (
    plan_id VARCHAR(36) NOT NULL,
    dag_id VARCHAR(250) NOT NULL,
    run_id VARCHAR(250) NOT NULL,
    seq INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    state VARCHAR(20) NOT NULL,
    mode VARCHAR(20) NOT NULL,
    sendable BOOLEAN NOT NULL,
    not_sendable_because TEXT,
    needs_approval BOOLEAN NOT NULL,
    approval_because JSON,
    no_approval_because TEXT,
    asked_at DATETIME,
    approved_by VARCHAR(250),
    approved_at DATETIME,
    approved_fingerprint VARCHAR(64),
    rejected_by VARCHAR(250),
    rejected_at DATETIME,
    fingerprint VARCHAR(64),
    rows_read INTEGER,
    invitations INTEGER,
    counts JSON NOT NULL,
    policies JSON NOT NULL,
    window_start DATETIME NOT NULL,
    window_end DATETIME NOT NULL,
    created_at DATETIME NOT NULL,
    sealed_at DATETIME,
    valid_until_ms BIGINT,
    sealed_until BIGINT,
    seal VARCHAR(64),
    approval_seal VARCHAR(64),
    PRIMARY KEY (plan_id),
    CONSTRAINT uq_m3ter_onboarding_plan_seq UNIQUE (dag_id, run_id, seq)
);

CREATE INDEX ix_m3ter_onboarding_plan_created ON m3ter_onboarding_plan (dag_id, created_at);

CREATE TABLE m3ter_onboarding_run (
    dag_id VARCHAR(250) NOT NULL,
    run_id VARCHAR(250) NOT NULL,
    config_name VARCHAR(200) NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    run_type VARCHAR(50) NOT NULL,
    triggered_by VARCHAR(250),
    mode VARCHAR(20) NOT NULL,
    only_employee VARCHAR(250),
    interval_start DATETIME NOT NULL,
    interval_end DATETIME NOT NULL,
    window_start DATETIME NOT NULL,
    window_end DATETIME NOT NULL,
    config_hash VARCHAR(64) NOT NULL,
    package_version VARCHAR(50) NOT NULL,
    may_invite BOOLEAN NOT NULL,
    started_at DATETIME NOT NULL,
    delivered_at DATETIME,
    finished_at DATETIME,
    outcome VARCHAR(20) NOT NULL,
    counts JSON NOT NULL,
    PRIMARY KEY (dag_id, run_id)
);

CREATE INDEX ix_m3ter_onboarding_run_org ON m3ter_onboarding_run (dag_id, org_id);

CREATE INDEX ix_m3ter_onboarding_run_outcome ON m3ter_onboarding_run (org_id, outcome, finished_at);

CREATE INDEX ix_m3ter_onboarding_run_started ON m3ter_onboarding_run (dag_id, started_at);

CREATE TABLE m3ter_onboarding_schema (
    version INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    package_version VARCHAR(50) NOT NULL,
    PRIMARY KEY (version)
);

CREATE TABLE m3ter_onboarding_withheld (
    plan_id VARCHAR(36) NOT NULL,
    row_no INTEGER NOT NULL,
    org_id VARCHAR(64) NOT NULL,
    decision VARCHAR(20) NOT NULL,
    reason VARCHAR(50) NOT NULL,
    withheld_at DATETIME NOT NULL,
    PRIMARY KEY (plan_id, row_no)
);

CREATE TABLE m3ter_onboarding_worklist (
    item_id INTEGER NOT NULL,
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
    window_start DATETIME NOT NULL,
    window_end DATETIME NOT NULL,
    first_seen_at DATETIME NOT NULL,
    opened_at DATETIME NOT NULL,
    last_seen_at DATETIME NOT NULL,
    gone_at DATETIME,
    closed_at DATETIME,
    closed_why VARCHAR(20),
    closed_by VARCHAR(250),
    closed_plan_id VARCHAR(36),
    snoozed_until DATETIME,
    note TEXT,
    noted_by VARCHAR(250),
    PRIMARY KEY (item_id),
    CONSTRAINT uq_m3ter_onboarding_worklist_question UNIQUE (org_id, person_key, decision, reason)
);

CREATE INDEX ix_m3ter_onboarding_worklist_open ON m3ter_onboarding_worklist (org_id, closed_at, window_start);
