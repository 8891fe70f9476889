"""The ``dag:`` section of a configuration: arguments of the DAG, checked when the file is parsed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr, field_validator

from m3ter_onboarding.config.durations import LastingDuration
from m3ter_onboarding.config.section import Section, Text, as_list

Action = Literal["can_create", "can_read", "can_edit", "can_delete", "menu_access"]

Resource = Literal["DAGs", "DAG Runs"]

_ActionList = Annotated[tuple[Action, ...], BeforeValidator(as_list)]


class TaskDefaults(Section):
    """``dag.default_args``: arguments of every task of the DAG.

    :param retries: at least 2: a worker may start before the API server answers.
    :param retry_delay: between two tries; a minute or more, so that the leftovers of the try before can be settled.
    :param retry_exponential_backoff: whether the delay doubles with each try.
    :param max_retry_delay: the longest delay of a backoff; None: Airflow's own.
    :param execution_timeout: how long one try of a task may take, ``send`` aside; None: no limit.
    :param depends_on_past: whether a task waits for the success of the same task in the run before.
    :param priority_weight: Airflow's, for tasks that compete for a pool.
    :param weight_rule: Airflow's, how weights add up along the tasks.
    :param pool_slots: slots of the pool that each task takes.
    :param run_as_user: the user of the worker's system that tasks run as; None: the worker's own.
    :param executor: one of the deployment's executors; None: the first.
    :param executor_config: passed on to the executor, such as a pod override.
    """

    retries: Annotated[StrictInt, Field(ge=2, le=100)] = 3  # a worker may start before the API server answers
    retry_delay: LastingDuration = timedelta(minutes=1)
    retry_exponential_backoff: StrictBool = False
    max_retry_delay: LastingDuration | None = None
    execution_timeout: LastingDuration | None = timedelta(hours=1)
    depends_on_past: StrictBool = False
    priority_weight: StrictInt = 1
    weight_rule: Literal["downstream", "upstream", "absolute"] = "downstream"
    pool_slots: Annotated[StrictInt, Field(ge=1)] = 1
    run_as_user: Text | None = None
    executor: Text | None = None
    executor_config: dict[str, Any] = Field(default={})


class DagSettings(Section):
    """``dag``: owner, tags, pool, queue, the roles that may see it, how long it may run.

    :param owner: shown in Airflow's list of DAGs.
    :param tags: for Airflow's list of DAGs.
    :param display_name: the DAG's name in the UI; None: its id.
    :param description: one line under the DAG's name.
    :param doc_md: Markdown shown with the DAG; None: a short guide.
    :param pool: the pool of all tasks; it must exist. None: Airflow's default pool.
    :param send_pool: the pool of the task ``send`` alone; it must exist. With one slot, and the same for all DAGs of an
        organisation, they send one after the other. None: as ``pool``.
    :param queue: the queue of all tasks, for executors that have queues.
    :param access_control: roles, and what each may do with this DAG: ``{role: [can_read, can_edit]}``.
    :param dagrun_timeout: how long a run may take; None: no limit.
    :param send_timeout: how long one try of ``send`` may take (its ``execution_timeout``).
    :param max_active_runs: runs at once; more than one, so that a run that waits for a person does not hold
        back the next day's. Runs that overlap are safe.
    :param default_args: arguments of every task.
    """

    owner: Text = "airflow"
    tags: Annotated[tuple[Annotated[StrictStr, Field(min_length=1, max_length=100)], ...], BeforeValidator(as_list)] = (
        "m3ter",
        "onboarding",
    )
    display_name: Text | None = None
    description: Text = "Invites new hires into m3ter, each exactly once."
    doc_md: Text | None = None
    pool: Text | None = None
    send_pool: Text | None = None
    queue: Text | None = None
    access_control: dict[Text, dict[Resource, _ActionList]] | None = None
    max_active_runs: Annotated[StrictInt, Field(ge=1)] = 4
    dagrun_timeout: LastingDuration | None = None
    send_timeout: LastingDuration | None = timedelta(hours=4)
    default_args: TaskDefaults = TaskDefaults()

    @field_validator("access_control", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """``role: [can_read]`` is Airflow's short form of ``role: {DAGs: [can_read]}``."""
        if not isinstance(value, dict):
            return value
        return {
            role: {"DAGs": granted} if isinstance(granted, (str, list, tuple, set)) else granted
            for role, granted in value.items()
        }

    def task_arguments(self) -> dict[str, Any]:
        """Build the DAG's ``default_args``; Airflow decides about settings that are None."""
        arguments = {"owner": self.owner, "pool": self.pool, "queue": self.queue}
        arguments.update({name: getattr(self.default_args, name) for name in TaskDefaults.model_fields})
        return {name: value for name, value in arguments.items() if value is not None}

    def granted(self) -> dict[str, dict[str, set[str]]] | None:
        """Return ``access_control`` in the form that Airflow's ``DAG`` takes."""
        if self.access_control is None:
            return None
        return {
            role: {resource: set(actions) for resource, actions in granted.items()}
            for role, granted in self.access_control.items()
        }
