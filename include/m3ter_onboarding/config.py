"""One organisation's configuration: a YAML file and the query beside it, checked before Airflow sees a DAG.

Loading opens these two files and nothing else: no network, no database.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from croniter import croniter  # type: ignore[import-untyped]
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
)

from m3ter_onboarding.alerts import Alerts
from m3ter_onboarding.dag_settings import DagSettings, Section, Text, TextList
from m3ter_onboarding.durations import Duration
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.pause import RESERVED_WORDS
from m3ter_onboarding.privacy import mask_addresses
from m3ter_onboarding.query import WINDOW_PARAMETERS, bound_parameters

_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_SECRET_WORDS = re.compile(r"secret|password|passwd|token|key|credential", re.IGNORECASE)

#: Airflow's own rule for connection ids.
ConnectionId = Annotated[StrictStr, Field(pattern=r"^[\w#!()\-.:/\\]+$", max_length=250)]


def _ids_as_text(value: Any) -> Any:
    """YAML reads ``1001`` as a number; an id is text."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list):
        return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
    return value


class Exclusions(Section):
    """``exclude``: people who are never invited, each decided ``skip:excluded``.

    :param addresses: e-mail addresses, compared as identities (case does not matter).
    :param domains: domains of addresses, exact; a subdomain is another domain.
    :param employee_ids: as the query gives them.
    """

    addresses: Annotated[TextList, Field(repr=False)] = ()
    domains: TextList = ()
    employee_ids: Annotated[tuple[Text, ...], BeforeValidator(_ids_as_text), Field(repr=False)] = ()

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        # One that can match nobody would exclude nobody, silently.
        if any(not re.fullmatch(r"[^@\s]+@[^@\s]+", value) for value in values):
            raise ValueError("one of them is no e-mail address")
        return values

    @field_validator("domains")
    @classmethod
    def _are_domains(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"@?[^@\s*/:]+\.[^@\s*/:]+", value) for value in values):
            raise ValueError("one of them is no domain such as example.com; each is exact, without *")
        return values


class OnboardingConfig(Section):
    """What one YAML file says; every value checked, every default filled in.

    :param name: the last part of the DAG's id, ``m3ter_onboarding__<name>``.
    :param m3ter_conn_id: the m3ter connection: organisation, credentials, pace, and whether it may send at all.
    :param warehouse_conn_id: the connection that the query is run on; any with SQLAlchemy support.
    :param ledger_conn_id: the connection of the ledger, SQLite or PostgreSQL.
    :param ledger_schema: the database schema of the ledger's tables; None: the connection's own.
    :param create_tables: whether tasks may make the ledger's tables; False: a person made them.
    :param query: path of the SQL file, relative to the YAML file.
    :param schedule: five cron fields, or a preset such as ``@daily``; None: runs by hand only.
    :param time_zone: IANA name; of the schedule, and of rows that name none.
    :param start_date: the first day of the schedule; days before it are not run.
    :param look_back_days: days before the run's interval that are read again, for rows that come late.
    :param max_age_days: whoever started longer ago is not invited, and a pause is not caught up further back.
    :param invite_days_before_start: an invitation leaves at most this many days before the start date; None: as
        soon as the row is there.
    :param permission_policies: names or ids of what people get whose row names none.
    :param allowed_permission_policies: names or ids of all that may be given; None: any.
    :param allow_administrator_policies: whether a policy that lets people do everything (m3ter's own Administrator,
        or one that allows all actions on all resources) may be given at all, by default or by a row.
    :param max_invitations: the most that one run may send, and that all runs of backfills together may send in 24
        hours; None: no limit.
    :param max_percent: the most that one run may send, in percent of its rows; None: no limit.
    :param max_invitations_per_day: the most that an organisation gets in 24 hours; None: no limit.
    :param stop_after_failures: sending stops after so many failures (refusals of m3ter's, or no usable answer) in a
        row; None: never.
    :param stop_at_failure_percent: sending stops when so many percent of at least 10 attempts have failed; None: never.
    :param approval_above: more invitations than this need a person's approval, and so does whoever becomes an
        administrator; None: only the latter.
    :param plan_valid_for: age at which a plan may not be sent any more.
    :param settle_after: wait before an absence in m3ter counts; it must exceed late commits plus list lag.
    :param full_snapshot_every: the longest time between two complete readings of m3ter.
    :param fail_on_refused: whether a run fails when m3ter refused somebody.
    :param min_expected_rows: fewer rows from the query than this fail the run.
    :param exclude: people who are never invited.
    :param if_expired: what an invitation means that expired without being accepted: a person looks, or a new one.
    :param if_rehire: what a member means whose access has ended: a person looks, or a new invitation.
    :param expiry_grace_days: an invitation stays valid for this long after the start date, if that is later
        than the 30 days that m3ter gives it.
    :param alerts: who is told when somebody should look.
    :param dag: what Airflow is told about the DAG.
    """

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    m3ter_conn_id: ConnectionId = "m3ter_default"
    warehouse_conn_id: ConnectionId
    ledger_conn_id: ConnectionId = Field(default_factory=lambda known: known.get("warehouse_conn_id", "missing"))
    ledger_schema: Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)] | None = None
    create_tables: StrictBool = True
    query: Text
    schedule: StrictStr | None = "0 6 * * *"
    time_zone: Text = "UTC"
    start_date: date = date(2025, 1, 1)
    look_back_days: Annotated[StrictInt, Field(ge=0, le=366)] = 3
    max_age_days: Annotated[StrictInt, Field(ge=1, le=3660)] = 90
    invite_days_before_start: Annotated[StrictInt, Field(ge=0, le=366)] | None = None
    permission_policies: TextList = ()
    allowed_permission_policies: TextList | None = None
    allow_administrator_policies: StrictBool = False
    max_invitations: Annotated[StrictInt, Field(ge=0)] | None = 100
    max_percent: Annotated[StrictInt | StrictFloat, Field(ge=0, le=100)] | None = None
    max_invitations_per_day: Annotated[StrictInt, Field(ge=0)] | None = None
    stop_after_failures: Annotated[StrictInt, Field(ge=1)] | None = 10
    stop_at_failure_percent: Annotated[StrictInt | StrictFloat, Field(gt=0, le=100)] | None = 50
    approval_above: Annotated[StrictInt, Field(ge=0)] | None = None
    plan_valid_for: Duration = timedelta(hours=24)
    settle_after: Duration = timedelta(minutes=2)
    full_snapshot_every: Duration = timedelta(days=7)
    fail_on_refused: StrictBool = True
    min_expected_rows: Annotated[StrictInt, Field(ge=0)] = 0
    exclude: Exclusions = Exclusions()
    if_expired: Literal["review", "invite"] = "review"
    if_rehire: Literal["review", "invite"] = "review"
    expiry_grace_days: Annotated[StrictInt, Field(ge=0, le=366)] = 14
    alerts: Alerts = Alerts()
    dag: DagSettings = DagSettings()

    _path: Path = PrivateAttr(default=Path("onboarding.yaml"))
    _query_text: str = PrivateAttr(default="")

    @field_validator("name")
    @classmethod
    def _not_all(cls, value: str) -> str:
        if value.casefold() in RESERVED_WORDS:
            raise ValueError("means everybody or nobody in the pause switch; choose another name")
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is None or value in _PRESETS:
            return value
        if len(value.split()) != 5 or not croniter.is_valid(value):
            raise ValueError(f"write five cron fields such as '0 6 * * *', one of {', '.join(_PRESETS)}, or null")
        return value

    @field_validator("time_zone")
    @classmethod
    def _iana(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone; write an IANA name such as Europe/London") from None
        return value

    @field_validator("plan_valid_for", "settle_after", "full_snapshot_every")
    @classmethod
    def _not_zero(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("must be longer than nothing")
        return value

    @classmethod
    def from_mapping(
        cls, values: Mapping[str, Any], *, query_text: str, path: Path = Path("onboarding.yaml")
    ) -> OnboardingConfig:
        """Check values that are in memory already.

        :param values: what the YAML file would say.
        :param query_text: the SQL that ``query`` names.
        :param path: the file's name, for messages.
        :raises ConfigurationError: naming file, key and value.
        """
        try:
            config = cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigurationError(_sentences(path, error)) from None
        _check_query(path, config.query, query_text)
        config._path, config._query_text = path, query_text
        return config

    @property
    def path(self) -> Path:
        """The YAML file."""
        return self._path

    @property
    def query_text(self) -> str:
        """The SQL, as the file held it when the configuration was loaded."""
        return self._query_text

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

    @cached_property
    def hash(self) -> str:
        """Fingerprint of the content and the query (SHA-256, hex); where the files lie does not matter."""
        content = self.model_dump(mode="json", exclude={"query"})
        text = json.dumps([content, self.query_text], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def load_config(path: str | Path) -> OnboardingConfig:
    """Load one organisation's YAML file and its query.

    :param path: the YAML file; ``query`` in it is relative to its folder.
    :raises ConfigurationError: naming the file, the key and its value, and what to write instead.
    """
    path = Path(path)
    text = _read(path, f"The configuration {path}")
    try:
        values = yaml.load(text, _UniqueKeyLoader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{path}{where}: this is not valid YAML: {error.problem}.") from None
    except yaml.YAMLError:
        raise ConfigurationError(
            f"{path}: this is not valid YAML: it holds characters that may not be there."
        ) from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected keys and values such as 'name: acme' and found none.")
    query = values.get("query")
    query_text = ""
    if isinstance(query, str) and query.strip():
        query_path = path.parent / query.strip()
        query_text = _read(query_path, f"{path}, key 'query': the SQL file {query_path}")
    return OnboardingConfig.from_mapping(values, query_text=query_text, path=path)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a second key of one name win silently; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key != "<<" and key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key '{key}' appears twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _read(path: Path, subject: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{subject} does not exist; write the path relative to the YAML file.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{subject} is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{subject} cannot be read: {error.strerror}.") from None


def _check_query(path: Path, query: str, query_text: str) -> None:
    bound = bound_parameters(query_text)
    named = f"{path}, key 'query': {query}"
    if not query_text.strip():
        raise ConfigurationError(f"{named} is empty; it must select the new hires.")
    if unknown := sorted(bound.difference(WINDOW_PARAMETERS)):
        raise ConfigurationError(
            f"{named} uses {', '.join(':' + name for name in unknown)}; only :window_start and :window_end are given."
            " A colon that is no parameter is written \\:."
        )
    if missing := [name for name in WINDOW_PARAMETERS if name not in bound]:
        raise ConfigurationError(
            f"{named} does not use {' and '.join(':' + name for name in missing)}; without both it would read the same"
            " people whatever days a run is for. Write for example"
            " WHERE loaded_at >= :window_start AND loaded_at < :window_end."
        )


def _sentences(path: Path, error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    lines = [_sentence(problem["loc"], problem["type"], problem["msg"], problem["input"]) for problem in problems]
    return f"{path}: " + "; ".join(dict.fromkeys(lines)) + "."


def _sentence(place: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    key = _dotted(place)
    if kind == "missing":
        return f"the key '{key}' is missing"
    if kind == "extra_forbidden":
        close = get_close_matches(str(place[-1]), _keys_beside(place), n=1)
        return f"the key '{key}' is unknown" + (f" (did you mean '{close[0]}'?)" if close else "")
    reason = message.removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    return f"the key '{key}' is {_shown(key, value)}: {reason}"


def _dotted(place: tuple[int | str, ...]) -> str:
    """Write ``dag.default_args.retries`` or ``exclude.domains[2]``; what pydantic adds for unions is left out."""
    key = ""
    model: type[BaseModel] | None = OnboardingConfig
    for part in place:
        if isinstance(part, int):
            key += f"[{part}]"
        elif model is None or part in model.model_fields or part is place[-1]:
            key += f".{part}" if key else part
            model = _section_of(model, part)
    return key


def _section_of(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    field = model.model_fields.get(key) if model else None
    annotation = field.annotation if field else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _keys_beside(place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] | None = OnboardingConfig
    for part in place[:-1]:
        model = _section_of(model, str(part))
    return list(model.model_fields) if model else []


def _shown(key: str, value: Any) -> str:
    """Quote a value, unless it may be a secret or somebody's address."""
    if _SECRET_WORDS.search(key) or key.startswith(("exclude", "alerts")):
        return "not usable"
    text = mask_addresses(repr(value) if not isinstance(value, (date, timedelta)) else str(value))
    return text if len(text) <= 60 else text[:57] + "..."
