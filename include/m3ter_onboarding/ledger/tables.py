"""The ledger's tables. Names and keys are public: people who answer for a run read them with SQL.

Texts that come from m3ter, a warehouse or a person are ``ShownText``, ``LongText`` or ``IdentityText``: whatever they
hold can be stored (``sql_types.py``). Instants in columns named ``*_at`` are UTC. Columns named ``*_ms`` are
milliseconds since 1970 by the *database's* clock: the right to send is written and judged there, never by a worker's
clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    FromClause,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    text,
)

from m3ter_onboarding.ledger.person_view import PersonTables, make_with_tables
from m3ter_onboarding.ledger.sql_types import (
    IdentityText,
    LongText,
    NumberedKey,
    ShownText,
    UtcDateTime,
    WholeNumber,
    by_bytes,
    whose,
)
from m3ter_onboarding.ledger.states import LIVE_STATES, InvitationState, state_values

#: Raised by one with every change of the tables below; ``migrations/`` has the step to it, see ``upgrades.py``.
SCHEMA_VERSION = 4

#: The same for all rows of a plan that invite; of every other row its own number.
_ONE_INVITE = text("(CASE WHEN decision = 'invite' THEN -1 ELSE row_no END)")

_LIVE = ", ".join(f"'{state}'" for state in state_values(LIVE_STATES))


class Tables:
    """The ledger's tables in one database schema.

    :param schema: the schema's name, or None for the connection's default.
    """

    def __init__(self, schema: str | None = None) -> None:
        self.metadata = metadata = MetaData(schema=schema)

        self.schema_version = Table(
            "m3ter_onboarding_schema",
            metadata,
            Column("version", Integer, primary_key=True, autoincrement=False),
            Column("created_at", UtcDateTime, nullable=False),
            Column("package_version", String(50), nullable=False),
        )

        self.run = Table(
            "m3ter_onboarding_run",
            metadata,
            Column("dag_id", String(250), primary_key=True),
            Column("run_id", String(250), primary_key=True),
            Column("config_name", ShownText(200), nullable=False),
            Column("org_id", String(64), nullable=False),
            Column("run_type", String(50), nullable=False),
            Column("triggered_by", ShownText(250)),
            Column("mode", String(20), nullable=False),
            Column("only_employee", ShownText(250)),
            Column("interval_start", UtcDateTime, nullable=False),
            Column("interval_end", UtcDateTime, nullable=False),
            Column("window_start", UtcDateTime, nullable=False),
            Column("window_end", UtcDateTime, nullable=False),
            Column("config_hash", String(64), nullable=False),
            Column("package_version", String(50), nullable=False),
            Column("may_invite", Boolean, nullable=False),
            Column("started_at", UtcDateTime, nullable=False),
            Column("delivered_at", UtcDateTime),
            Column("finished_at", UtcDateTime),
            Column("outcome", String(20), nullable=False),
            Column("counts", JSON, nullable=False),
            Index("ix_m3ter_onboarding_run_started", "dag_id", "started_at"),
            Index("ix_m3ter_onboarding_run_org", "dag_id", "org_id"),
            Index("ix_m3ter_onboarding_run_outcome", "org_id", "outcome", "finished_at"),
        )

        self.plan = Table(
            "m3ter_onboarding_plan",
            metadata,
            Column("plan_id", String(36), primary_key=True),
            Column("dag_id", String(250), nullable=False),
            Column("run_id", String(250), nullable=False),
            Column("seq", Integer, nullable=False),
            Column("org_id", String(64), nullable=False),
            Column("state", String(20), nullable=False),
            Column("mode", String(20), nullable=False),
            Column("sendable", Boolean, nullable=False),
            Column("not_sendable_because", LongText),
            Column("needs_approval", Boolean, nullable=False),
            # The ends of "You are asked because …".
            Column("approval_because", JSON(none_as_null=True)),
            # The end of "It needs no approval: …", for people.
            Column("no_approval_because", LongText),
            # When the question about exactly this plan was put to people; an answer counts for no other plan.
            Column("asked_at", UtcDateTime),
            Column("approved_by", ShownText(250)),
            Column("approved_at", UtcDateTime),
            Column("approved_fingerprint", String(64)),
            # The person who rejected it; empty beside a time: nobody answered in time. Such a plan is never sent.
            Column("rejected_by", ShownText(250)),
            Column("rejected_at", UtcDateTime),
            Column("fingerprint", String(64)),
            Column("rows_read", Integer),
            Column("invitations", Integer),
            Column("counts", JSON, nullable=False),
            Column("policies", JSON, nullable=False),
            Column("window_start", UtcDateTime, nullable=False),
            Column("window_end", UtcDateTime, nullable=False),
            Column("created_at", UtcDateTime, nullable=False),
            Column("sealed_at", UtcDateTime),
            Column("valid_until_ms", BigInteger),
            # The latest that valid_until_ms may be; the seal covers it.
            Column("sealed_until", BigInteger),
            # Keyed hashes, which nobody can make who may only write here: of the head; of the question while people are
            # asked, and then of who approved the plan when.
            Column("seal", String(64)),
            Column("approval_seal", String(64)),
            UniqueConstraint("dag_id", "run_id", "seq", name="uq_m3ter_onboarding_plan_seq"),
            Index("ix_m3ter_onboarding_plan_created", "dag_id", "created_at"),
        )

        self.decision = Table(
            "m3ter_onboarding_decision",
            metadata,
            Column("plan_id", String(36), primary_key=True),
            Column("row_no", Integer, primary_key=True, autoincrement=False),
            Column("org_id", String(64), nullable=False),
            Column("employee_id", IdentityText(250)),
            Column("email", ShownText(400)),
            Column("email_key", IdentityText(400)),
            Column("decision", String(20), nullable=False),
            Column("reason", String(50), nullable=False),
            Column("detail", LongText),
            Column("start_date", Date),
            # Of a question: the person's name, and the value that is wrong in their row, as the warehouse has them.
            Column("person_name", ShownText(250)),
            Column("wrong_value", ShownText(400)),
            Column("request", JSON(none_as_null=True)),
            Column("request_hash", String(64)),
            # A keyed hash of the whole decision to invite, likewise.
            Column("seal", String(64)),
            # What the query has in the configured `extra_columns`, by name.
            Column("extra", JSON(none_as_null=True)),
            Column("invitation_id", NumberedKey),
            Column("decided_at", UtcDateTime, nullable=False),
            # One plan never invites an employee or an address twice, whatever the planner does. The same indexes find
            # everything about somebody, and somebody in a plan.
            Index(
                "uq_m3ter_onboarding_decision_employee", "org_id", "employee_id", "plan_id", _ONE_INVITE, unique=True
            ),
            Index("uq_m3ter_onboarding_decision_email", "org_id", "email_key", "plan_id", _ONE_INVITE, unique=True),
            Index("ix_m3ter_onboarding_decision_start", "org_id", "start_date"),
            Index("ix_m3ter_onboarding_decision_reason", "plan_id", "decision", "row_no", "reason"),
        )

        # People of a plan whom the settings of later hold back; see withheld.py.
        self.withheld = Table(
            "m3ter_onboarding_withheld",
            metadata,
            Column("plan_id", String(36), primary_key=True),
            Column("row_no", Integer, primary_key=True, autoincrement=False),
            Column("org_id", String(64), nullable=False),
            Column("decision", String(20), nullable=False),
            Column("reason", String(50), nullable=False),
            Column("withheld_at", UtcDateTime, nullable=False),
        )

        live = text(f"state IN ({_LIVE})")
        self.invitation = Table(
            "m3ter_invitation",
            metadata,
            Column("invitation_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("org_id", String(64), nullable=False),
            Column("email_key", IdentityText(400), nullable=False),
            Column("email", ShownText(400), nullable=False),
            Column("generation", Integer, nullable=False),
            Column("employee_id", IdentityText(250)),
            Column("state", String(20), nullable=False),
            # 'claimed': this ledger set out to send it. 'found': m3ter had it, no matter who made it.
            Column("origin", String(10), nullable=False),
            Column("m3ter_id", IdentityText(100)),
            Column("m3ter_user_id", IdentityText(100)),
            Column("inviting_principal_id", IdentityText(100)),
            Column("dag_id", String(250)),
            Column("run_id", String(250)),
            Column("plan_id", String(36)),
            Column("row_no", Integer),
            Column("request_hash", String(64)),
            Column("claim_token", String(36)),
            Column("lease_until_ms", BigInteger),
            Column("attempt", Integer, nullable=False, server_default="0"),
            # Set, and committed, before the POST begins; empty: this attempt certainly posted nothing.
            Column("attempt_started_ms", BigInteger),
            # Set where the attempt's own sender saw it end without an answer.
            Column("attempt_ended_ms", BigInteger),
            Column("first_absent_ms", BigInteger),
            Column("absences", Integer, nullable=False, server_default="0"),
            Column("http_status", Integer),
            Column("message", LongText),
            # m3ter's whole answer to the POST.
            Column("answer", JSON(none_as_null=True)),
            Column("sent_at", UtcDateTime),
            Column("accepted_at", UtcDateTime),
            Column("expires_at", UtcDateTime),
            Column("created_at", UtcDateTime, nullable=False),
            Column("updated_at", UtcDateTime, nullable=False),
            Index("uq_m3ter_invitation_generation", "org_id", "email_key", "generation", unique=True),
            Index(
                "uq_m3ter_invitation_live_email",
                "org_id",
                "email_key",
                unique=True,
                sqlite_where=live,
                postgresql_where=live,
            ),
            Index(
                "uq_m3ter_invitation_live_employee",
                "org_id",
                "employee_id",
                unique=True,
                sqlite_where=live,
                postgresql_where=live,
            ),
            Index(
                "uq_m3ter_invitation_live_m3ter_id",
                "org_id",
                "m3ter_id",
                unique=True,
                sqlite_where=live,
                postgresql_where=live,
            ),
            Index("ix_m3ter_invitation_m3ter_id", "org_id", "m3ter_id"),
            Index("ix_m3ter_invitation_employee", "org_id", "employee_id"),
            Index("ix_m3ter_invitation_state", "org_id", "state"),
            Index("ix_m3ter_invitation_sent", "org_id", "sent_at"),
            Index("ix_m3ter_invitation_claim", "claim_token"),
            Index("ix_m3ter_invitation_started", "org_id", "attempt_started_ms"),
            Index("ix_m3ter_invitation_run", "dag_id", "run_id", "state"),
        )
        # A page of a list is a range of one of these, for each DAG and state.
        i = self.invitation.c
        for name, column in (("changed", i.updated_at), ("address", by_bytes(i.email_key)), ("expires", i.expires_at)):
            Index(f"ix_m3ter_invitation_by_{name}", i.org_id, whose(i.dag_id), i.state, column, i.invitation_id)

        self.event = Table(
            "m3ter_invitation_event",
            metadata,
            Column("event_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("invitation_id", NumberedKey, nullable=False),
            Column("org_id", String(64), nullable=False),
            Column("from_state", String(20)),
            Column("to_state", String(20), nullable=False),
            Column("why", String(60), nullable=False),
            Column("plan_id", String(36)),
            Column("claim_token", String(36)),
            Column("attempt", Integer),
            Column("http_status", Integer),
            Column("m3ter_id", IdentityText(100)),
            Column("message", LongText),
            # The person who decided it, where one did.
            Column("decided_by", ShownText(250)),
            Column("at", UtcDateTime, nullable=False),
            Index("ix_m3ter_invitation_event_invitation", "invitation_id"),
        )

        # What a person or a setting can still change, by organisation and person (rule 4); closed, never deleted.
        self.worklist = Table(
            "m3ter_onboarding_worklist",
            metadata,
            Column("item_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("org_id", String(64), nullable=False),
            # "employee:" and the employee_id, else "address:" and the address.
            Column("person_key", IdentityText(420), nullable=False),
            Column("employee_id", IdentityText(250)),
            Column("email", ShownText(400)),
            Column("email_key", IdentityText(400)),
            Column("decision", String(20), nullable=False),
            Column("reason", String(50), nullable=False),
            Column("detail", LongText),
            Column("start_date", Date),
            # As in the decision.
            Column("person_name", ShownText(250)),
            Column("wrong_value", ShownText(400)),
            Column("invitation_id", BigInteger),
            Column("opened_plan_id", String(36), nullable=False),
            # The newest plan that asked the same.
            Column("plan_id", String(36), nullable=False),
            Column("row_no", Integer, nullable=False),
            Column("dag_id", String(250), nullable=False),
            Column("config_name", ShownText(200), nullable=False),
            # The days in which the row lies, as far as they are known.
            Column("window_start", UtcDateTime, nullable=False),
            Column("window_end", UtcDateTime, nullable=False),
            Column("first_seen_at", UtcDateTime, nullable=False),
            # Later than first seen where the question was answered in between and came up again.
            Column("opened_at", UtcDateTime, nullable=False),
            Column("last_seen_at", UtcDateTime, nullable=False),
            # Since when a complete read of these days has not had the row.
            Column("gone_at", UtcDateTime),
            Column("closed_at", UtcDateTime),
            # "answered" by a later decision, "decided" by a person, "too_old".
            Column("closed_why", String(20)),
            Column("closed_by", ShownText(250)),
            Column("closed_plan_id", String(36)),
            Column("snoozed_until", UtcDateTime),
            Column("note", LongText),
            Column("noted_by", ShownText(250)),
            UniqueConstraint(
                "org_id", "person_key", "decision", "reason", name="uq_m3ter_onboarding_worklist_question"
            ),
            Index("ix_m3ter_onboarding_worklist_open", "org_id", "closed_at", "window_start"),
        )

        # Who starts soon, and where they stand; a row is ended and never deleted.
        self.day_one = Table(
            "m3ter_onboarding_day_one",
            metadata,
            Column("item_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("org_id", String(64), nullable=False),
            # As in the worklist.
            Column("person_key", IdentityText(420), nullable=False),
            Column("employee_id", IdentityText(250)),
            Column("email", ShownText(400)),
            Column("email_key", IdentityText(400)),
            Column("start_date", Date),
            Column("standing", String(30), nullable=False),
            Column("standing_since", UtcDateTime, nullable=False),
            # The newest decision about them.
            Column("decision", String(20), nullable=False),
            Column("reason", String(50), nullable=False),
            Column("plan_id", String(36), nullable=False),
            Column("row_no", Integer, nullable=False),
            Column("dag_id", String(250), nullable=False),
            # Their newest invitation; NULL: they have none.
            Column("invitation_id", BigInteger),
            Column("invitation_state", String(20)),
            Column("expires_at", UtcDateTime),
            Column("first_seen_at", UtcDateTime, nullable=False),
            Column("last_seen_at", UtcDateTime, nullable=False),
            # NULL: in the list now.
            Column("ended_at", UtcDateTime),
            Column("ended_why", String(20)),
            UniqueConstraint("org_id", "person_key", name="uq_m3ter_onboarding_day_one_person"),
            Index("ix_m3ter_onboarding_day_one_open", "org_id", "ended_at", "standing"),
            Index("ix_m3ter_onboarding_day_one_employee", "org_id", "employee_id"),
            Index("ix_m3ter_onboarding_day_one_email", "org_id", "email_key"),
        )

        # Invitations that nobody has accepted, and that expire soon or whose person starts soon; ended, never deleted.
        self.chase = Table(
            "m3ter_onboarding_chase",
            metadata,
            Column("item_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("org_id", String(64), nullable=False),
            Column("invitation_id", BigInteger, nullable=False),
            Column("employee_id", IdentityText(250)),
            Column("email", ShownText(400)),
            Column("email_key", IdentityText(400)),
            # The DAG that made the invitation; NULL: it was found in m3ter.
            Column("dag_id", String(250)),
            Column("start_date", Date),
            # 'starts', 'expires' or 'both'.
            Column("why", String(10), nullable=False),
            Column("sent_at", UtcDateTime),
            Column("expires_at", UtcDateTime),
            Column("first_seen_at", UtcDateTime, nullable=False),
            Column("last_seen_at", UtcDateTime, nullable=False),
            # NULL: in the list now.
            Column("ended_at", UtcDateTime),
            Column("ended_why", String(20)),
            UniqueConstraint("org_id", "invitation_id", name="uq_m3ter_onboarding_chase_invitation"),
            Index("ix_m3ter_onboarding_chase_open", "org_id", "ended_at", "why"),
            Index("ix_m3ter_onboarding_chase_employee", "org_id", "employee_id"),
            Index("ix_m3ter_onboarding_chase_email", "org_id", "email_key"),
        )

        # The last time that both lists were made, and the day of the last digest.
        self.day_one_pass = Table(
            "m3ter_onboarding_day_one_pass",
            metadata,
            Column("org_id", String(64), primary_key=True),
            Column("dag_id", String(250), nullable=False),
            Column("config_name", ShownText(200), nullable=False),
            Column("time_zone", String(100), nullable=False),
            # Who starts today or within so many days is in the list.
            Column("starts_within_days", Integer, nullable=False),
            Column("no_successful_run_days", Integer),
            Column("first_at", UtcDateTime, nullable=False),
            Column("last_at", UtcDateTime, nullable=False),
            Column("digest_day", Date),
            Column("digest_token", String(36)),
        )

        # At which host each organisation is: where it was first read, or where a person says that it is.
        self.organisation = Table(
            "m3ter_onboarding_organisation",
            metadata,
            Column("org_id", String(64), primary_key=True),
            Column("base_url", LongText, nullable=False),
            Column("first_seen_at", UtcDateTime, nullable=False),
            Column("confirmed_by", ShownText(250)),
            Column("confirmed_at", UtcDateTime),
        )

        # Which DAGs' connections m3ter has let in: their readers see the organisation's people.
        self.admission = Table(
            "m3ter_onboarding_admission",
            metadata,
            Column("dag_id", String(250), primary_key=True),
            Column("org_id", String(64), primary_key=True),
            Column("first_at", UtcDateTime, nullable=False),
            Column("last_at", UtcDateTime, nullable=False),
        )

        # Who was erased, by a keyed hash alone: they are never invited again.
        self.erased = Table(
            "m3ter_onboarding_erased",
            metadata,
            Column("org_id", String(64), primary_key=True),
            # 'address' or 'employee'.
            Column("kind", String(10), primary_key=True),
            Column("key_hash", String(64), primary_key=True),
            Column("erased_at", UtcDateTime, nullable=False),
            Column("erasure_id", String(36), nullable=False),
        )

        # Each erasure; who was erased is not in it.
        self.erasure = Table(
            "m3ter_onboarding_erasure",
            metadata,
            Column("erasure_id", String(36), primary_key=True),
            Column("org_id", String(64), nullable=False),
            Column("erased_at", UtcDateTime, nullable=False),
            Column("erased_by", ShownText(250), nullable=False),
            # 'person', or 'before' and a date.
            Column("what", String(50), nullable=False),
            # A hash of a known text: the hashes of this erasure are compared only with the same secret.
            Column("check_value", String(64), nullable=False),
            Column("counts", JSON, nullable=False),
            Index("ix_m3ter_onboarding_erasure_org", "org_id", "erased_at"),
        )

        self.mirror_org = Table(
            "m3ter_mirror_org",
            metadata,
            Column("org_id", String(64), primary_key=True),
            Column("service_user_id", IdentityText(100)),
            # How far the newest complete pass over invitations began, by m3ter's own clock.
            Column("invitations_through", UtcDateTime),
            Column("invitations_full_at", UtcDateTime),
            Column("users_full_at", UtcDateTime),
            Column("policies_full_at", UtcDateTime),
            # The last snapshot that read all three to the end, by the database's clock.
            Column("complete_ms", BigInteger),
            Column("claims", Integer, nullable=False, server_default="0"),
            # The organisation's own, as m3ter last gave it; NULL: not read since version 4, or it has none.
            Column("name", ShownText(200)),
        )

        self.mirror_invitation = Table(
            "m3ter_mirror_invitation",
            metadata,
            Column("org_id", String(64), primary_key=True),
            Column("m3ter_id", IdentityText(100), primary_key=True),
            Column("email_key", IdentityText(400), nullable=False),
            Column("email", ShownText(400), nullable=False),
            Column("accepted", Boolean, nullable=False),
            Column("created_at", UtcDateTime),
            Column("modified_at", UtcDateTime),
            Column("expires_at", UtcDateTime),
            Column("inviting_principal_id", IdentityText(100)),
            # The whole entry as m3ter listed it.
            Column("entry", JSON(none_as_null=True)),
            # The address without what may be an alias, where people look for doubles; NULL: not read since version 4.
            Column("alias_key", IdentityText(400)),
            Column("first_seen_ms", BigInteger, nullable=False),
            Column("last_seen_ms", BigInteger, nullable=False),
            Column("gone", Boolean, nullable=False),
            Index("ix_m3ter_mirror_invitation_email", "org_id", "email_key"),
            Index("ix_m3ter_mirror_invitation_alias", "org_id", "alias_key"),
            Index("ix_m3ter_mirror_invitation_created", "org_id", "created_at"),
        )

        self.mirror_user = Table(
            "m3ter_mirror_user",
            metadata,
            Column("org_id", String(64), primary_key=True),
            Column("m3ter_id", IdentityText(100), primary_key=True),
            Column("email_key", IdentityText(400), nullable=False),
            Column("email", ShownText(400), nullable=False),
            Column("access_ends_at", UtcDateTime),
            Column("created_at", UtcDateTime),
            # The whole entry as m3ter listed it.
            Column("entry", JSON(none_as_null=True)),
            # The address without what may be an alias, where people look for doubles; NULL: not read since version 4.
            Column("alias_key", IdentityText(400)),
            # The ids of the policies that the user has, and when m3ter was asked; NULL: never.
            Column("permission_policy_ids", JSON(none_as_null=True)),
            Column("policies_read_at", UtcDateTime),
            Column("first_seen_ms", BigInteger, nullable=False),
            Column("last_seen_ms", BigInteger, nullable=False),
            Column("gone", Boolean, nullable=False),
            Index("ix_m3ter_mirror_user_email", "org_id", "email_key"),
            Index("ix_m3ter_mirror_user_alias", "org_id", "alias_key"),
        )

        self.mirror_policy = Table(
            "m3ter_mirror_policy",
            metadata,
            Column("org_id", String(64), primary_key=True),
            Column("m3ter_id", IdentityText(100), primary_key=True),
            Column("name", ShownText(200), nullable=False),
            Column("version", WholeNumber),
            Column("managed", Boolean, nullable=False),
            # Lets people do everything; empty: not looked at yet, which counts as yes.
            Column("administrator_like", Boolean),
            # Whether m3ter shows what it allows; NULL: not read since version 4, which counts as no.
            Column("statements_shown", Boolean),
            Column("first_seen_ms", BigInteger, nullable=False),
            Column("last_seen_ms", BigInteger, nullable=False),
            Column("gone", Boolean, nullable=False),
        )

        # Each time that access in m3ter was compared with the jobs in the warehouse.
        self.access_read = Table(
            "m3ter_onboarding_access_read",
            metadata,
            Column("read_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("org_id", String(64), nullable=False),
            Column("config_name", ShownText(200), nullable=False),
            Column("dag_id", String(250), nullable=False),
            Column("run_id", String(250), nullable=False),
            Column("started_at", UtcDateTime, nullable=False),
            Column("finished_at", UtcDateTime),
            # 'running', 'accepted', 'refused', 'failed'; only an accepted read changes findings.
            Column("outcome", String(20), nullable=False),
            Column("why", LongText),
            # People with a job by the warehouse, and users with access by m3ter.
            Column("people", Integer),
            Column("users", Integer),
            Column("counts", JSON, nullable=False),
            Index("ix_m3ter_onboarding_access_read_org", "org_id", "outcome"),
        )

        # The rows of the query while one read compares them; empty between reads.
        self.access_job = Table(
            "m3ter_onboarding_access_job",
            metadata,
            Column("read_id", BigInteger, primary_key=True, autoincrement=False),
            Column("row_no", Integer, primary_key=True, autoincrement=False),
            Column("org_id", String(64), nullable=False),
            Column("email_key", IdentityText(400)),
            Column("employee_id", IdentityText(250)),
            Column("end_given", Boolean, nullable=False),
            Column("access_ends_at", UtcDateTime),
            Column("permission_policies", JSON(none_as_null=True)),
            Index("ix_m3ter_onboarding_access_job_email", "read_id", "email_key"),
            Index("ix_m3ter_onboarding_access_job_employee", "read_id", "employee_id"),
        )

        # Access in m3ter that the warehouse does not agree with; a row is ended and never deleted.
        self.access_review = Table(
            "m3ter_onboarding_access_review",
            metadata,
            Column("item_id", NumberedKey, primary_key=True, autoincrement=True),
            Column("org_id", String(64), nullable=False),
            Column("finding", String(30), nullable=False),
            # Of the user, or of the invitation.
            Column("m3ter_id", IdentityText(100), nullable=False),
            Column("email", ShownText(400)),
            Column("email_key", IdentityText(400)),
            Column("employee_id", IdentityText(250)),
            Column("in_m3ter", LongText),
            Column("wanted", LongText),
            Column("first_seen_at", UtcDateTime, nullable=False),
            Column("last_seen_at", UtcDateTime, nullable=False),
            # NULL: the last accepted read found it too.
            Column("ended_at", UtcDateTime),
            UniqueConstraint("org_id", "finding", "m3ter_id", name="uq_m3ter_onboarding_access_review_finding"),
            Index("ix_m3ter_onboarding_access_review_open", "org_id", "ended_at", "finding"),
            Index("ix_m3ter_onboarding_access_review_email", "org_id", "email_key"),
        )

        make_with_tables(metadata, self.of_people)

    @property
    def of_people(self) -> PersonTables:
        """The tables of the view of people."""
        return PersonTables(self.plan, self.decision, self.invitation, self.event, self.worklist)

    def all(self) -> tuple[Table, ...]:
        """Every table, in the order in which they are made."""
        return tuple(self.metadata.sorted_tables)


@lru_cache(maxsize=8)
def tables_in(schema: str | None) -> Tables:
    """Return the tables of one schema (the same objects each time: SQLAlchemy caches statements by them)."""
    return Tables(schema)


@lru_cache(maxsize=64)
def once_more(table: Table, name: str) -> FromClause:
    """Return a table under a second name, for a statement that looks at other rows of it.

    The same object each time: to make its columns takes longer than the rest of a statement. A statement inside
    another must not use the name of the outer one: SQLAlchemy would take both for the same rows.
    """
    alias = table.alias(name)
    alias.c  # noqa: B018  (made here, before threads share it)
    return alias


def state_in(table: FromClause, states: Iterable[InvitationState]) -> ColumnElement[bool]:
    """Return the condition that a row's state is one of *states*, not to be looked up by state.

    SQLite without statistics prefers the index on states to the one on the address or employee that is asked for with
    it, and reads half the table for each row.
    """
    return func.coalesce(table.c.state, "").in_(state_values(states))


def as_dict(row: Any) -> dict[str, Any]:
    """Return one result row as a dictionary by column name."""
    return dict(row._mapping)
