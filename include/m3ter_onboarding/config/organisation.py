"""The configuration of one organisation: every key, its type, its bounds and its default."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from m3ter_onboarding.config.access_section import AccessReview
from m3ter_onboarding.config.alerts_section import Alerts
from m3ter_onboarding.config.allowed_policies import AllowedPolicies
from m3ter_onboarding.config.approval_section import ApprovalSettings
from m3ter_onboarding.config.dag_section import DagSettings
from m3ter_onboarding.config.day_one_section import ChaseSettings, DayOneSettings
from m3ter_onboarding.config.durations import LastingDuration
from m3ter_onboarding.config.exclude_section import Exclusions
from m3ter_onboarding.config.names import LONGEST_NAME, NAME_PATTERN, is_reserved
from m3ter_onboarding.config.placeholders import DEFAULT_PLACEHOLDERS, Placeholders
from m3ter_onboarding.config.problems import sentences
from m3ter_onboarding.config.query_columns import ExtraColumns
from m3ter_onboarding.config.query_text import check_query, check_unbound_query
from m3ter_onboarding.config.schedule import AssetSchedule, Schedule
from m3ter_onboarding.config.section import Section, Text, TextList
from m3ter_onboarding.config.shared_query import OrganisationName, OrganisationNames
from m3ter_onboarding.config.status_section import StatusSettings
from m3ter_onboarding.errors import ConfigurationError

#: What ``reinvite`` may be at most: nobody gets more e-mails than one and these without a person who asks for it.
MOST_REINVITATIONS = 5

#: Airflow's own rule for connection ids.
ConnectionId = Annotated[StrictStr, Field(pattern=r"^[\w#!()\-.:/\\]+$", max_length=250)]


class OnboardingConfig(Section):
    """The configuration of one organisation; every value checked, every default filled in.

    :param name: the last part of the DAG's id, ``m3ter_onboarding__<name>``.
    :param m3ter_conn_id: the m3ter connection: organisation, credentials, pace, and whether it may send at all.
    :param warehouse_conn_id: the connection that the query is run on; any with SQLAlchemy support.
    :param ledger_conn_id: the connection of the ledger, SQLite or PostgreSQL.
    :param ledger_schema: the database schema of the ledger's tables; None: the connection's own.
    :param create_tables: whether tasks may make the ledger's tables; False: a person made them.
    :param publish: where the ledger is another connection than the warehouse, whether results are copied into the
        warehouse: True, to tables and a view; ``tables``, without the view; False, the warehouse is only read.
    :param query: path of the SQL file, relative to the YAML file.
    :param organisation: where configurations share one query: the value of its column ``organisation`` that is this
        one's. None: all rows are, and the query has no such column.
    :param organisations: all values that the column may have, for every configuration that shares the query; a row of
        none of them is pointed out. Empty: they are not known.
    :param extra_columns: columns of one's own that the query has beside the contract's, such as ``department``: they
        are recorded with each decision and shown on the page.
    :param placeholders: words for a missing value, in any case of letters: an `employee_id`, `first_name` or
        `last_name` that is one makes its row invalid, and a `contact_number` that is one is left out.
    :param schedule: five cron fields, or a preset such as ``@daily``; or ``assets`` of Airflow, with or without a
        ``cron`` beside them; None: runs by hand only.
    :param time_zone: IANA name; of the schedule, and of rows that name none.
    :param start_date: the first day of the schedule; days before it are not run.
    :param look_back_days: days before the run's interval that are read again, for rows that come late.
    :param max_age_days: people who started longer ago are not invited, and a pause is not caught up further back.
    :param invite_days_before_start: an invitation leaves at most this many days before the start date; None: as
        soon as the row is there.
    :param permission_policies: names or ids of the policies for people whose row names none.
    :param allowed_permission_policies: names or ids of all that may be given; None: those of ``permission_policies``
        only; ``any``, alone: every policy, so that everybody who can write a row of the warehouse can give each of
        them.
    :param allow_administrator_policies: whether a policy that lets people decide about access (m3ter's own
        Administrator; one that may create, update or delete policies, users, groups, keys or invitations; one that
        m3ter does not show and that is not named by its id) may be given at all, by default or by a row.
    :param max_invitations: the most that one run may send, and that all runs of backfills together may send in 24
        hours; None: no limit.
    :param max_percent: the most that one run may send, in percent of its rows; None: no limit.
    :param max_invitations_per_day: the most that an organisation gets in 24 hours; None: no limit.
    :param stop_after_failures: sending stops after so many failures (refusals by m3ter, or no usable answer) in a
        row; None: never.
    :param stop_at_failure_percent: sending stops when so many percent of at least 10 attempts have failed; None: never.
    :param approval_above: the short form of ``approval.above``.
    :param approval: which plans a person must approve, and who may.
    :param plan_valid_for: age at which a plan may not be sent any more.
    :param settle_after: wait before an absence in m3ter counts; it must exceed late commits plus list lag.
    :param full_snapshot_every: the longest time between two complete readings of m3ter.
    :param fail_on_refused: whether a run fails when m3ter refused somebody.
    :param min_expected_rows: fewer rows from the query than this fail the run.
    :param exclude: people who are never invited.
    :param reinvite: after an invitation that expired without being accepted: ``never``, a person looks; ``once``, or so
        many times, a new invitation, counted by person over all that they got, also by hand.
    :param cool_off_days: from when an invitation expired until the next one.
    :param if_rehire: after a member's access has ended: a person looks, or a new invitation.
    :param validity_days: an invitation stays valid to the end of this many days after its plan; None: for the 30 days
        that m3ter gives it.
    :param expiry_grace_days: it stays valid for this long after the start date, if that is later.
    :param alerts: who is notified when somebody should look.
    :param status: the DAG that follows what became of invitations.
    :param access_review: the DAG that compares access in m3ter with the jobs in the warehouse.
    :param day_one: the DAG that lists who starts soon, and where each of them stands.
    :param chase: invitations that nobody has accepted, and the digest.
    :param dag: arguments of the DAG.
    """

    name: Annotated[StrictStr, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
    m3ter_conn_id: ConnectionId = "m3ter_default"
    warehouse_conn_id: ConnectionId
    ledger_conn_id: ConnectionId = Field(default_factory=lambda known: known.get("warehouse_conn_id", "missing"))
    ledger_schema: Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)] | None = None
    create_tables: StrictBool = True
    publish: StrictBool | Literal["tables"] = True
    query: Text
    organisation: OrganisationName | None = None
    organisations: OrganisationNames = ()
    extra_columns: ExtraColumns = ()
    placeholders: Placeholders = DEFAULT_PLACEHOLDERS
    schedule: Schedule | None = "0 6 * * *"
    time_zone: Text = "UTC"
    start_date: date = date(2025, 1, 1)
    look_back_days: Annotated[StrictInt, Field(ge=0, le=366)] = 3
    max_age_days: Annotated[StrictInt, Field(ge=1, le=3660)] = 90
    invite_days_before_start: Annotated[StrictInt, Field(ge=0, le=366)] | None = None
    permission_policies: TextList = ()
    allowed_permission_policies: AllowedPolicies = Field(
        default_factory=lambda known: known.get("permission_policies", ())
    )
    allow_administrator_policies: StrictBool = False
    max_invitations: Annotated[StrictInt, Field(ge=0)] | None = 100
    max_percent: Annotated[StrictInt | StrictFloat, Field(ge=0, le=100)] | None = None
    max_invitations_per_day: Annotated[StrictInt, Field(ge=0)] | None = None
    stop_after_failures: Annotated[StrictInt, Field(ge=1)] | None = 10
    stop_at_failure_percent: Annotated[StrictInt | StrictFloat, Field(gt=0, le=100)] | None = 50
    approval_above: Annotated[StrictInt, Field(ge=0)] | None = None
    approval: ApprovalSettings = ApprovalSettings()
    plan_valid_for: LastingDuration = timedelta(hours=24)
    settle_after: LastingDuration = timedelta(minutes=2)
    full_snapshot_every: LastingDuration = timedelta(days=7)
    fail_on_refused: StrictBool = True
    min_expected_rows: Annotated[StrictInt, Field(ge=0)] = 0
    exclude: Exclusions = Exclusions()
    reinvite: Literal["never", "once"] | int = "never"
    cool_off_days: Annotated[StrictInt, Field(ge=0, le=366)] = 7
    if_rehire: Literal["review", "invite"] = "review"
    validity_days: Annotated[StrictInt, Field(ge=1, le=366)] | None = None
    expiry_grace_days: Annotated[StrictInt, Field(ge=0, le=366)] = 14
    alerts: Alerts = Alerts()
    status: StatusSettings = StatusSettings()
    access_review: AccessReview = AccessReview()
    day_one: DayOneSettings = DayOneSettings()
    chase: ChaseSettings = ChaseSettings()
    dag: DagSettings = DagSettings()

    _path: Path = PrivateAttr(default=Path("onboarding.yaml"))
    _query_text: str = PrivateAttr(default="")
    _exclusions_text: str = PrivateAttr(default="")
    _job_query_text: str = PrivateAttr(default="")

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if is_reserved(value):
            raise ValueError("means everybody or nobody in the pause switch; choose another name")
        return value

    @field_validator("reinvite", mode="before")
    @classmethod
    def _bounded(cls, value: Any) -> Any:
        if value in ("never", "once"):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_REINVITATIONS:
            raise ValueError(f"write never, once, or a number from 1 to {MOST_REINVITATIONS}")
        return value

    @field_validator("approval")
    @classmethod
    def _said_once(cls, value: ApprovalSettings, known: ValidationInfo) -> ApprovalSettings:
        if value.above is not None and known.data.get("approval_above") is not None:
            raise ValueError("above is set, and so is its short form approval_above; set one of them")
        return value

    @field_validator("time_zone")
    @classmethod
    def _iana(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone; write an IANA name such as Europe/London") from None
        return value

    @classmethod
    def from_mapping(
        cls,
        values: Mapping[str, Any],
        *,
        query_text: str,
        exclusions_text: str = "",
        job_query_text: str = "",
        path: Path = Path("onboarding.yaml"),
        shared: Mapping[str, Path] | None = None,
    ) -> OnboardingConfig:
        """Check values that are in memory already.

        :param values: the content of a YAML file.
        :param query_text: the SQL that ``query`` names.
        :param exclusions_text: the SQL that ``exclude.query`` names.
        :param job_query_text: the SQL that ``access_review.query`` names.
        :param path: the file's name, for messages.
        :param shared: the files of keys that stand elsewhere, for messages.
        :raises ConfigurationError: naming file, key and value.
        """
        try:
            config = cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigurationError(sentences(path, cls, error, shared or {})) from None
        check_query(path, config.query, query_text, routed=config.organisation is not None)
        if config.exclude.query is not None:
            selects = "the people who are not invited"
            check_unbound_query(path, "exclude.query", config.exclude.query, exclusions_text, selects=selects)
        if config.access_review.query is not None:
            selects, query = "everybody who has a job now", config.access_review.query
            check_unbound_query(path, "access_review.query", query, job_query_text, selects=selects)
        config._path, config._query_text = path, query_text
        config._exclusions_text, config._job_query_text = exclusions_text, job_query_text
        return config

    @property
    def path(self) -> Path:
        """The YAML file."""
        return self._path

    @property
    def cron(self) -> str | None:
        """The time at which the DAG runs; None: it is begun by assets, or by hand."""
        return self.schedule.cron if isinstance(self.schedule, AssetSchedule) else self.schedule

    @property
    def query_text(self) -> str:
        """The SQL, as the file held it when the configuration was loaded."""
        return self._query_text

    @property
    def exclusions_text(self) -> str:
        """The SQL of ``exclude.query``, likewise; empty: there is none."""
        return self._exclusions_text

    @property
    def job_query_text(self) -> str:
        """The SQL of ``access_review.query``, likewise; empty: there is none."""
        return self._job_query_text

    @property
    def zone(self) -> ZoneInfo:
        """``time_zone`` for arithmetic."""
        return ZoneInfo(self.time_zone)

    @property
    def start_at(self) -> datetime:
        """``start_date``'s midnight in ``time_zone``, aware: the DAG's ``start_date``."""
        return datetime.combine(self.start_date, time(), tzinfo=self.zone)

    @property
    def look_back(self) -> timedelta:
        """``look_back_days`` for arithmetic."""
        return timedelta(days=self.look_back_days)

    @property
    def max_age(self) -> timedelta:
        """``max_age_days`` for arithmetic."""
        return timedelta(days=self.max_age_days)

    @property
    def approval_threshold(self) -> int | None:
        """``approval.above``, in whichever form it is set."""
        return self.approval_above if self.approval.above is None else self.approval.above

    @property
    def most_reinvitations(self) -> int:
        """``reinvite`` as a number."""
        return {"never": 0, "once": 1}[self.reinvite] if isinstance(self.reinvite, str) else self.reinvite

    @cached_property
    def hash(self) -> str:
        """Fingerprint of the content and the query (SHA-256, hex); its name and where the files lie do not matter."""
        content = self.model_dump(
            mode="json", exclude={"name": True, "query": True, "exclude": {"query"}, "access_review": {"query"}}
        )
        text = json.dumps([content, self.query_text, self.exclusions_text], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
