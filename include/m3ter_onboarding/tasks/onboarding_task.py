"""What the tasks of the onboarding DAG share: the configuration, how they reach ledger and m3ter, how they fail."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.errors import (
    ConfigurationError,
    LedgerUnusableError,
    OnboardingError,
    PlanError,
    RunParameterError,
    SourceError,
)
from m3ter_onboarding.sending.right_to_send import Caps, NotAllowedError
from m3ter_provider.errors import NEEDS_A_PERSON

if TYPE_CHECKING:
    from airflow.sdk import Context

    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.runs import RunKey
    from m3ter_onboarding.mirroring.organisation import M3terMirror
    from m3ter_provider.connection import ConnectionSettings
    from m3ter_provider.hooks.m3ter import M3terAsyncHook


#: Trying again changes nothing: a person must act first.
_FOR_GOOD = (
    ConfigurationError,
    RunParameterError,
    LedgerUnusableError,
    PlanError,
    NotAllowedError,
    *NEEDS_A_PERSON,
)


@contextmanager
def explained() -> Iterator[None]:
    """Let errors leave a task as sentences without personal data; permanent ones fail it at once.

    What nobody foresaw is named by its class and place: the text of a foreign exception may quote a person.
    """
    try:
        yield
    except (AirflowFailException, AirflowSkipException):
        raise
    except _FOR_GOOD as error:
        raise AirflowFailException(str(error)) from None
    except SourceError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from None
    except AirflowException:
        raise
    except Exception as error:  # noqa: BLE001  (the border of the task)
        places = traceback.extract_tb(error.__traceback__)
        where = f"{places[-1].filename}:{places[-1].lineno}, in {places[-1].name}" if places else "unknown place"
        raise OnboardingError(
            f"An unexpected {type(error).__name__} at {where}. Nothing is lost: what was begun is settled by the next"
            " try. Please report it."
        ) from None


class OnboardingStep:
    """What the steps share: the configuration, and how they reach ledger and m3ter.

    What is a template field is in the serialised DAG: so the page in Airflow's UI knows where the ledger is.
    """

    template_fields: Collection[str] = (
        *("config_name", "m3ter_conn_id", "warehouse_conn_id", "ledger_conn_id", "ledger_schema"),
    )

    config: OnboardingConfig

    def _works_for(self, config: OnboardingConfig) -> None:
        self.config = config
        self.config_name = config.name
        self.m3ter_conn_id = config.m3ter_conn_id
        self.warehouse_conn_id = config.warehouse_conn_id
        self.ledger_conn_id = config.ledger_conn_id
        self.ledger_schema = config.ledger_schema

    def _run_key(self, context: Context) -> RunKey:
        from m3ter_onboarding.ledger.runs import RunKey

        dag_run = context["dag_run"]
        return RunKey(str(dag_run.dag_id), str(dag_run.run_id))

    def _parameters(self, context: Context) -> RunParameters:
        return RunParameters.parse(dict(context.get("params") or {}))

    def _caps(self, context: Context) -> Caps:
        config, parameters = self.config, self._parameters(context)
        most = config.max_invitations if parameters.max_invitations is None else parameters.max_invitations
        return Caps(
            invitations=most,
            percent=None if parameters.only_employee else config.max_percent,  # one of one is no mass mailing
            per_day=config.max_invitations_per_day,
            backfill=most if text_of(context["dag_run"].run_type) == "backfill" else None,
            approval_above=config.approval_above,
        )

    def _open_ledger(self) -> LedgerDatabase:
        from m3ter_onboarding.ledger.database import open_ledger

        return open_ledger(self.config.ledger_conn_id, self.config.ledger_schema)

    def _settings(self) -> ConnectionSettings:
        from m3ter_provider.connection import connection_settings

        try:
            connection = BaseHook.get_connection(self.config.m3ter_conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"The m3ter connection '{self.config.m3ter_conn_id}' is not defined in Airflow; nothing is sent. Make"
                " it, or set `m3ter_conn_id` to one that exists."
            ) from None
        return connection_settings(connection)

    def _organisation(self, hook: M3terAsyncHook, db: LedgerDatabase) -> M3terMirror:
        from m3ter_onboarding.mirroring.organisation import M3terMirror

        return M3terMirror(
            m3ter=hook,
            db=db,
            settle_after=self.config.settle_after,
            full_snapshot_every=self.config.full_snapshot_every,
        )


def text_of(value: Any) -> str:
    """Return an enum's value, or anything else as text."""
    return str(getattr(value, "value", value))


def planned_by(xcom: Any) -> Mapping[str, Any]:
    """Return what the task ``plan`` left."""
    if not isinstance(xcom, Mapping) or not xcom.get("plan_id"):
        raise NotAllowedError(
            "The task `plan` left no plan (it may have been marked successful by hand); nothing is sent. Clear it."
        )
    return xcom
