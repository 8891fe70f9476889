"""The base of the onboarding DAG's tasks: the configuration, and the way to ledger and m3ter."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from m3ter_onboarding.config.names import dag_id_of
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.reporting.lineage import UsedTables

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.runs import RunKey
    from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
    from m3ter_onboarding.planning.run_start import AirflowRun
    from m3ter_onboarding.sending.right_to_send import Caps
    from m3ter_provider.connection import ConnectionSettings
    from m3ter_provider.hooks.m3ter_async import M3terAsyncHook


class OnboardingTask:
    """The base of a task: the configuration, and the way to ledger and m3ter.

    Template fields are in the serialised DAG, so the page in Airflow's UI knows where the ledger is.
    """

    template_fields: Collection[str] = (
        *("config_name", "m3ter_conn_id", "warehouse_conn_id", "ledger_conn_id", "ledger_schema"),
    )

    config: OnboardingConfig

    #: For lineage.
    used_tables: ClassVar[UsedTables] = UsedTables()

    def get_openlineage_facets_on_start(self) -> Any:
        """Return the tables that the task uses; OpenLineage's provider calls it, where it is installed."""
        from m3ter_onboarding.reporting.lineage import lineage_of

        return lineage_of(self.config, self.used_tables)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the same: nothing more is known at the end of a task, whatever that was."""
        return self.get_openlineage_facets_on_start()

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

    def _airflow_run(self, context: Context) -> AirflowRun:
        from m3ter_onboarding.planning.run_start import AirflowRun

        dag_run = context["dag_run"]
        return AirflowRun(
            key=self._run_key(context),
            run_type=text_of(dag_run.run_type),
            parameters=self._parameters(context),
            data_interval_start=context.get("data_interval_start"),
            data_interval_end=context.get("data_interval_end"),
            logical_date=context.get("logical_date"),
            triggered_by=getattr(dag_run, "triggering_user_name", None),
        )

    def _parameters(self, context: Context) -> RunParameters:
        return RunParameters.parse(dict(context.get("params") or {}))

    def _caps(self, context: Context) -> Caps:
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.sending.right_to_send import caps_of

        return caps_of(self.config, self._parameters(context), text_of(context["dag_run"].run_type), utc_now())

    def _open_ledger(self) -> LedgerDatabase:
        from m3ter_onboarding.ledger.database import open_ledger

        return open_ledger(self.config.ledger_conn_id, self.config.ledger_schema)

    def _connection_settings(self) -> ConnectionSettings:
        from m3ter_provider.connection import connection_settings

        return connection_settings(self._m3ter_connection())

    def _m3ter_connection(self) -> Connection:
        """Read the connection to m3ter: each reading is a request to Airflow, and perhaps to a secrets backend."""
        try:
            return BaseHook.get_connection(self.config.m3ter_conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"The m3ter connection '{self.config.m3ter_conn_id}' is not defined in Airflow; nothing is sent. Make"
                " it, or set `m3ter_conn_id` to one that exists."
            ) from None

    def _check_host(self, db: LedgerDatabase, settings: ConnectionSettings) -> None:
        """Check that the connection leads to the m3ter that the ledger knows."""
        from m3ter_onboarding.ledger.known_hosts import Place, check_host

        check_host(db, Place(settings.org_id, settings.base_url))

    def _check_admitted(self, db: LedgerDatabase, settings: ConnectionSettings) -> None:
        """Check that the onboarding DAG's connection has read the organisation at this host."""
        from m3ter_onboarding.ledger.known_hosts import check_admitted

        self._check_host(db, settings)
        check_admitted(db, dag_id_of(self.config.name), settings.org_id)

    def _record_reading(self, db: LedgerDatabase, settings: ConnectionSettings) -> None:
        """Record that m3ter let the connection read the organisation to the end."""
        from m3ter_onboarding.clock import utc_now
        from m3ter_onboarding.ledger.known_hosts import Place, record_reading

        record_reading(db, Place(settings.org_id, settings.base_url), dag_id_of(self.config.name), utc_now())

    def _organisation(self, hook: M3terAsyncHook, db: LedgerDatabase) -> MirroredOrganisation:
        """Return the organisation to read or send to, at the host that the ledger knows."""
        from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation

        self._check_host(db, hook.settings)
        return MirroredOrganisation(
            m3ter=hook,
            db=db,
            settle_after=self.config.settle_after,
            full_snapshot_every=self.config.full_snapshot_every,
        )


def text_of(value: Any) -> str:
    """Return an enum's value, or anything else as text."""
    return str(getattr(value, "value", value))
