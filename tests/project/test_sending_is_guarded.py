"""No path can e-mail anybody through a connection that does not allow it: each is walked, and none is forgotten.

``allow_invitations`` and ``allowed_domains`` are looked at where a POST is built (``m3ter_provider.api_calls``) and
where a session sends one of somebody else's making. So that this stays so, the tests below name everything that could
send; a new public method, operator, command or caller fails them until it has a path here.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, get_origin

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException
from sqlalchemy import create_engine
from tenacity import stop_after_attempt

import m3ter_onboarding
import m3ter_provider
from demo.people import people_of
from demo.start_state import seed_organisation
from demo.warehouse import Warehouse
from m3ter_onboarding.cli import command as command_line
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.tasks.send import OnboardingSendOperator
from m3ter_provider.hooks.m3ter import M3terAsyncHook, M3terHook
from m3ter_provider.models import InvitationRequest
from m3ter_provider.operators.invitation import M3terCreateInvitationOperator
from m3ter_provider.process_state import forget_all
from m3ter_sandbox.testing import SandboxServer
from tests.support.first_looks import look_first

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("plugins/m3ter_provider", "include/m3ter_onboarding", "dags")
ADDRESS = "ann.example@example.com"
PERSON = {"email": ADDRESS, "firstName": "Annabella", "lastName": "Marker-Surname"}

ALLOWED: dict[str, Any] = {"allow_invitations": True}
NOT_ALLOWED: dict[str, dict[str, Any]] = {
    "sending is off": {"allow_invitations": False},
    "sending is off by default": {"allow_invitations": None},
    "another domain": {"allow_invitations": True, "allowed_domains": "elsewhere.example"},
}


class Place(NamedTuple):
    """Where a path is walked."""

    sandbox: SandboxServer
    folder: Path
    metadata: Callable[[], object]

    @property
    def endpoint(self) -> str:
        return f"organizations/{self.sandbox.org_id}/invitations"


def posts(sandbox: SandboxServer) -> int:
    """Return how many POSTs of invitations reached m3ter, with any outcome."""
    journal = sandbox.requests()
    return sum(one["method"] == "POST" and one["path"].rstrip("/").lower().endswith("invitations") for one in journal)


# -- paths ------------------------------------------------------------------------------------------------------------


def request() -> InvitationRequest:
    return InvitationRequest.model_validate(PERSON)


def sync_create_invitation(place: Place) -> None:
    M3terHook().create_invitation(request())


def sync_run(place: Place) -> None:
    M3terHook(method="POST").run(place.endpoint, json=PERSON)


def sync_run_with_text(place: Place) -> None:
    headers = {"Content-Type": "application/json"}
    M3terHook(method="post").run(f"/{place.endpoint}/", json.dumps(PERSON), headers)


def sync_run_with_advanced_retry(place: Place) -> None:
    M3terHook(method="POST").run_with_advanced_retry(
        {"stop": stop_after_attempt(1), "reraise": True}, place.endpoint, json=PERSON
    )


def sync_run_and_check(place: Place) -> None:
    import requests

    hook = M3terHook(method="POST")
    session = hook.get_conn()
    prepared = session.prepare_request(requests.Request("POST", f"{place.sandbox.url}/{place.endpoint}", json=PERSON))
    hook.run_and_check(session, prepared, {})


def sync_get_conn(place: Place) -> None:
    M3terHook().get_conn().post(f"{place.sandbox.url}/{place.endpoint}", json=PERSON)


def sync_get_conn_in_another_spelling(place: Place) -> None:
    url = f"{place.sandbox.url}/{place.endpoint.replace('invitations', 'users/../%69nvitations')}"
    M3terHook().get_conn().request("post", url, json=PERSON)


def async_create_invitation(place: Place) -> None:
    async def invite() -> None:
        async with M3terAsyncHook() as m3ter:
            await m3ter.create_invitation(request())

    asyncio.run(invite())


def operator(place: Place) -> None:
    person = {"email": ADDRESS, "first_name": "Annabella", "last_name": "Marker-Surname"}
    task = M3terCreateInvitationOperator(task_id="invite", **person)  # type: ignore[arg-type]
    context: Any = {"ti": SimpleNamespace(try_number=1), "dag_run": SimpleNamespace(start_date=None)}
    task.execute(context)


def example_dag(place: Place) -> None:
    dag_test(place, Path(m3ter_provider.__file__).parent / "example_dags", "example_m3ter_create_invitation", None)


def onboarding_dag(place: Place) -> None:
    day = datetime.now(timezone.utc).date() - timedelta(days=1)
    seed_organisation(place.sandbox)
    Warehouse(place.folder / "warehouse.db").load_day(day, False, people_of(day, follows=False))
    conf = {"interval_start": f"{day}T00:00:00+00:00", "interval_end": f"{day + timedelta(days=1)}T00:00:00+00:00"}
    engine = create_engine(f"sqlite:///{place.folder / 'warehouse.db'}")
    ledger, now = LedgerDatabase(engine, name="demo"), datetime.now(timezone.utc)
    prepare_tables(ledger, create_tables=True, now=now, package_version="0")
    look_first(ledger, "demo", place.sandbox.org_id, now)
    engine.dispose()
    dag_test(place, ROOT / "dags", "m3ter_onboarding__demo", conf)


def command_init(place: Place) -> None:
    command("init", str(place.folder / "dags"), "--name", "acme")


def command_check(place: Place) -> None:
    command("check", "--connect", str(ROOT / "include" / "config" / "demo.yaml"))


def command_ddl(place: Place) -> None:
    command("ddl", str(ROOT / "include" / "config" / "demo.yaml"))


def command_erase(place: Place) -> None:
    command("erase", str(ROOT / "include" / "config" / "demo.yaml"), "--email", ADDRESS, "--yes")


def command_same_m3ter(place: Place) -> None:
    command("same-m3ter", str(ROOT / "include" / "config" / "demo.yaml"), "--yes")


def command(*arguments: str) -> None:
    assert command_line.main(list(arguments)) in (0, 1)


def sync_test_connection(place: Place) -> None:
    M3terHook().test_connection()


def async_test_connection(place: Place) -> None:
    async def check() -> None:
        async with M3terAsyncHook() as m3ter:
            await m3ter.test_connection()

    asyncio.run(check())


def dag_test(place: Place, folder: Path, dag_id: str, conf: dict[str, Any] | None) -> None:
    place.metadata()
    bag = DagBag(dag_folder=str(folder))
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    bag.dags[dag_id].test(run_conf=conf)


#: What sends where the connection allows it.
SENDING: dict[str, Callable[[Place], None]] = {
    "M3terHook.create_invitation": sync_create_invitation,
    "M3terHook.run": sync_run,
    "M3terHook.run, as text": sync_run_with_text,
    "M3terHook.run_with_advanced_retry": sync_run_with_advanced_retry,
    "M3terHook.run_and_check": sync_run_and_check,
    "M3terHook.get_conn": sync_get_conn,
    "M3terHook.get_conn, another spelling": sync_get_conn_in_another_spelling,
    "M3terAsyncHook.create_invitation": async_create_invitation,
    "M3terCreateInvitationOperator": operator,
    "M3terCreateInvitationOperator, in a DAG": example_dag,
    "OnboardingSendOperator, in its DAG": onboarding_dag,
}

#: What never sends. Where invitations are allowed, a check of the connection POSTs an empty body, which m3ter refuses
#: for its content, or for the missing right.
NOT_SENDING: dict[str, Callable[[Place], None]] = {
    "M3terHook.test_connection": sync_test_connection,
    "M3terAsyncHook.test_connection": async_test_connection,
    "m3ter-onboarding init": command_init,
    "m3ter-onboarding check": command_check,
    "m3ter-onboarding ddl": command_ddl,
    "m3ter-onboarding erase": command_erase,
    "m3ter-onboarding same-m3ter": command_same_m3ter,
}

#: Members of the hooks that only read, or do not speak with m3ter at all.
READING = {
    "check_response",
    "conn_name_attr",
    "conn_type",
    "default_conn_name",
    "get_invitation",
    "get_me",
    "get_user",
    "get_user_permission_policies",
    "hook_name",
    "iter_invitation_pages",
    "iter_invitations",
    "iter_permission_policies",
    "iter_permission_policy_pages",
    "iter_user_pages",
    "iter_users",
    "post_timeout_seconds",
    "times_throttled",
    "settings",
}

READING_OPERATORS = {
    "DigestOperator",
    "ErasureOperator",
    "AccessReviewOperator",
    "M3terInvitationAcceptedSensor",
    "OnboardingApproveOperator",
    "OnboardingPlanOperator",
    "InvitationStatusOperator",
    "OnboardingReportOperator",
    "OnboardingSnapshotOperator",
    "ReadinessOperator",
}


@pytest.fixture
def place(
    m3ter_sandbox: SandboxServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    m3ter_sandbox.switches(requests_per_second=0)
    person = {"email": ADDRESS, "first_name": "Annabella", "last_name": "Marker-Surname"}
    monkeypatch.setenv("AIRFLOW_VAR_NEW_HIRE", json.dumps(person))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_DEMO", Warehouse(tmp_path / "warehouse.db").airflow_connection())
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")  # the command line sets it, for its own process
    forget_all()
    yield Place(m3ter_sandbox, tmp_path, lambda: request.getfixturevalue("airflow_db"))
    forget_all()


def connect(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    document = json.loads(sandbox.airflow_connection(requests_per_second=500, timeout_seconds=5, **settings))
    document["extra"] = {name: value for name, value in document["extra"].items() if value is not None}
    for conn_id in ("DEFAULT", "DEMO"):
        monkeypatch.setenv(f"AIRFLOW_CONN_M3TER_{conn_id}", json.dumps(document))


@pytest.mark.parametrize(
    ("path", "settings"),
    # A whole DAG run for what the hooks show is not needed.
    [(path, how) for path in SENDING for how in NOT_ALLOWED if not ("DAG" in path and how.endswith("by default"))],
)
def test_a_path_without_permission_posts_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, path: str, settings: str
) -> None:
    connect(place.sandbox, monkeypatch, NOT_ALLOWED[settings])
    with suppress(AirflowException):
        SENDING[path](place)
    assert (posts(place.sandbox), place.sandbox.emails()) == (0, {})


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=pytest.mark.slow if "DAG" in path else ()) for path in SENDING]
)
def test_each_path_leads_there(place: Place, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Where it is allowed the same steps do send; else the test above would show nothing."""
    connect(place.sandbox, monkeypatch, ALLOWED)
    with suppress(AirflowException):
        SENDING[path](place)
    assert posts(place.sandbox)


@pytest.mark.parametrize("settings", ["allowed", *NOT_ALLOWED])
@pytest.mark.parametrize("path", NOT_SENDING)
def test_a_path_that_does_not_send_never_sends(
    place: Place, monkeypatch: pytest.MonkeyPatch, path: str, settings: str
) -> None:
    connect(place.sandbox, monkeypatch, {"allowed": ALLOWED, **NOT_ALLOWED}[settings])
    NOT_SENDING[path](place)
    assert place.sandbox.emails() == {}
    assert place.sandbox.invitations() == []
    if "off" in settings:
        assert posts(place.sandbox) == 0


# -- and no path is forgotten -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [M3terHook, M3terAsyncHook])
def test_every_member_of_a_hook_is_known(hook: type) -> None:
    inherited = {name for name in dir(hook) if name.startswith("run") and callable(getattr(hook, name))}
    public = {name for name in vars(hook) if not name.startswith("_")} | inherited
    walked = {**SENDING, **NOT_SENDING}
    assert {name for name in public - READING if f"{hook.__name__}.{name}" not in walked} == set()


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def test_every_operator_is_known() -> None:
    ours = {
        value
        for package in (m3ter_provider, m3ter_onboarding)
        for module in modules(package)
        for value in vars(module).values()
        if inspect.isclass(value)
        and get_origin(value) is None
        and issubclass(value, BaseOperator)
        and value.__module__.startswith("m3ter_")
    }
    sending = {M3terCreateInvitationOperator, OnboardingSendOperator}
    assert {kind.__name__ for kind in ours - sending} == READING_OPERATORS
    for kind in sending:
        assert any(path.startswith(kind.__name__) for path in SENDING)


def calls(*names: str) -> set[tuple[str, str]]:
    """Name the files that call a function or method of these names, and which."""
    found = set()
    for folder in PACKAGES:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", None))
                    if name in names:
                        found.add((str(path.relative_to(ROOT)), str(name)))
    return found


def test_every_caller_that_creates_invitations_is_known() -> None:
    assert calls("create_invitation", "invitation_call") == {
        ("plugins/m3ter_provider/hooks/m3ter.py", "invitation_call"),
        ("plugins/m3ter_provider/hooks/m3ter_async.py", "invitation_call"),
        ("plugins/m3ter_provider/operators/invitation.py", "create_invitation"),
        ("include/m3ter_onboarding/sending/attempt.py", "create_invitation"),  # OnboardingSendOperator's
    }


def test_only_the_hooks_speak_http() -> None:
    clients = {"requests", "aiohttp", "httpx", "http", "urllib3", "m3ter", "urlopen", "build_opener"}
    speaking = set()
    for folder in PACKAGES:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names.append(node.module)
                client = {name for name in names if name.startswith("airflow.providers.http.")}
                if client or clients & {name.partition(".")[0] for name in names}:
                    speaking.add(str(path.relative_to(ROOT)))
    assert speaking == {
        "plugins/m3ter_provider/hooks/m3ter.py",
        "plugins/m3ter_provider/hooks/m3ter_async.py",
        "plugins/m3ter_provider/environment_proxy.py",  # asks `requests` what the environment says, and nobody else
    }


def test_every_command_is_known() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    scripts = project.partition("[project.scripts]\n")[2].partition("\n[")[0]
    names = {line.partition(" = ")[0] for line in scripts.splitlines() if line}
    assert names == {"m3ter-onboarding", "m3ter-sandbox"}, "the sandbox is no client of m3ter's"
    actions = command_line._parser()._subparsers._group_actions  # type: ignore[union-attr]
    commands = {f"m3ter-onboarding {name}" for name in actions[0].choices or ()}
    assert commands == {path for path in NOT_SENDING if path.startswith("m3ter-onboarding")}
