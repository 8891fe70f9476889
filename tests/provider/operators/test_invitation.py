"""One person from anyone's DAG: one e-mail, however often the task is tried."""

from __future__ import annotations

import copy
import json
import runpy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from m3ter_provider.errors import M3terConnectionError, M3terUnknownOutcomeError
from m3ter_provider.get_provider_info import get_provider_info
from m3ter_provider.hooks.m3ter import M3terHook
from m3ter_provider.links import CONSOLE, M3terConsoleLink
from m3ter_provider.models import InvitationRequest
from m3ter_provider.operators.invitation import M3terCreateInvitationOperator
from tests.support.hook_clients import FakeClock, connection_to

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from m3ter_sandbox.testing import SandboxServer

ADDRESS = "ann.example@example.com"
PERSONAL = ("ann.example", "Annabella", "Marker-Surname", "+44 5555 0199")


class Waits:
    """Notes how long the operator would have waited; a test can let something happen meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._meanwhile()


@pytest.fixture
def sandbox(m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    m3ter_sandbox.switches(requests_per_second=0)
    connection = m3ter_sandbox.airflow_connection(requests_per_second=500, timeout_seconds=2)
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", connection)
    return m3ter_sandbox


def invite(**arguments: Any) -> M3terCreateInvitationOperator:
    return M3terCreateInvitationOperator(
        **{
            "task_id": "invite",
            "email_address": ADDRESS,
            "first_name": "Annabella",
            "last_name": "Marker-Surname",
            "sleep": Waits(),
            **arguments,
        }
    )


def context(try_number: int = 1, began: datetime | None = None) -> Any:
    began = began or datetime.now(timezone.utc)
    return {"ti": SimpleNamespace(try_number=try_number), "dag_run": SimpleNamespace(start_date=began)}


def test_invites_and_returns_the_id_only(sandbox: SandboxServer) -> None:
    sandbox.seed(policies=[{"id": "policy-1", "name": "Read only"}, {"id": "policy-2", "name": "Billing"}])
    wait = Waits()
    invitation_id = invite(
        contact_number="+44 5555 0199",
        permission_policies=["Billing", "policy-1"],
        dt_end_access="2031-01-01T00:00:00+01:00",
        sleep=wait,
    ).execute(context())
    assert sandbox.emails() == {ADDRESS: 1}
    assert sandbox.mailbox()[0]["invitationId"] == invitation_id
    assert wait.seconds == []


@pytest.mark.parametrize("known", ["users", "invitations"])
def test_an_address_that_looks_alike_is_for_a_person(sandbox: SandboxServer, known: str) -> None:
    sandbox.seed(**{known: [{"email": "strauss@example.com"}]})
    with pytest.raises(AirflowFailException, match="only in letters that are often taken for the same"):
        invite(email_address="strauß@example.com").execute(context())
    assert sandbox.emails() == {}
    sandbox.seed(**{known: [{"email": "strauß@example.com"}]})
    invite(email_address="strauß@example.com").execute(context())
    assert sandbox.emails() == {}


def test_a_second_run_sends_nothing_and_returns_the_same(sandbox: SandboxServer) -> None:
    wait = Waits()
    first = invite().execute(context())
    second = invite(email_address=" ANN.Example@example.com", sleep=wait).execute(context())
    assert first == second
    assert sandbox.emails() == {ADDRESS: 1}
    assert wait.seconds == [], "a new run is no retry"


def test_an_existing_invitation_fails_if_asked(sandbox: SandboxServer) -> None:
    invite().execute(context())
    with pytest.raises(AirflowFailException, match="already") as error:
        invite(if_exists="fail").execute(context())
    assert "ann.example" not in str(error.value)
    assert sandbox.emails() == {ADDRESS: 1}


def test_a_member_is_not_invited_and_a_former_one_is(sandbox: SandboxServer) -> None:
    person = {"email": "Ann.Example@EXAMPLE.com", "firstName": "Ann", "lastName": "Example"}
    sandbox.seed(users=[person])
    assert invite().execute(context()) is None
    assert sandbox.emails() == {}
    sandbox.reset()
    sandbox.seed(users=[{**person, "dtEndAccess": "-1d"}])
    assert invite().execute(context())
    assert sandbox.emails() == {ADDRESS: 1}


def test_an_accepted_invitation_is_a_member(sandbox: SandboxServer) -> None:
    first = invite().execute(context())
    sandbox.accept(ADDRESS)
    assert invite().execute(context()) == first
    assert sandbox.emails() == {ADDRESS: 1}


def test_an_expired_invitation_does_not_count(sandbox: SandboxServer) -> None:
    invite().execute(context())
    sandbox.expire(ADDRESS)
    invite().execute(context())
    assert sandbox.emails() == {ADDRESS: 2}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"allow_administrator": "False"}, "allow_administrator must be True or False"),
        ({"if_exists": "raise"}, "if_exists must be 'skip' or 'fail'"),
        ({"settle_after": "120"}, "settle_after must be a number"),
        ({"settle_after": -5}, "settle_after must be a number"),
    ],
)
def test_arguments_that_no_task_can_have(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        invite(**wrong)


def test_a_connection_that_is_not_there_fails_for_good(sandbox: SandboxServer) -> None:
    with pytest.raises(AirflowFailException, match="isn't defined"):
        invite(m3ter_conn_id="m3ter_nowhere").execute(context())


class TestRetry:
    def test_an_invitation_of_its_own_that_has_expired_already_is_not_sent_again(self, sandbox: SandboxServer) -> None:
        sandbox.faults(operation="CreateOrgUserInvitation", kind="status", status=504, when="after", count=1)
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        first = invite(dt_expiry=soon).execute(context())
        sandbox.expire(ADDRESS)
        began = datetime.now(timezone.utc) - timedelta(minutes=5)
        assert invite(dt_expiry=soon).execute(context(try_number=2, began=began)) == first
        assert sandbox.emails() == {ADDRESS: 1}

    """Another try of the same run: the one before may have sent, although its list did not show it yet."""

    def test_a_retry_waits_before_absence_counts(self, sandbox: SandboxServer) -> None:
        wait = Waits()
        assert invite(sleep=wait, settle_after=90).execute(context(try_number=2))
        assert wait.seconds == [90]
        assert sandbox.emails() == {ADDRESS: 1}

    def test_a_retry_finds_an_invitation_that_the_list_shows_late(self, sandbox: SandboxServer) -> None:
        sandbox.switches(list_lag_seconds=3600)
        first = invite().execute(context())
        wait = Waits(meanwhile=lambda: sandbox.switches(list_lag_seconds=0))
        assert invite(sleep=wait).execute(context(try_number=2)) == first
        assert wait.seconds == [120]
        assert sandbox.emails() == {ADDRESS: 1}

    def test_its_own_earlier_e_mail_is_no_reason_to_fail(self, sandbox: SandboxServer) -> None:
        began = datetime.now(timezone.utc)
        first = invite(if_exists="fail").execute(context())
        assert invite(if_exists="fail").execute(context(try_number=2, began=began)) == first
        with pytest.raises(AirflowFailException):
            invite(if_exists="fail").execute(context(try_number=2, began=began + timedelta(hours=1)))

    def test_a_try_that_died_is_found(self, sandbox: SandboxServer) -> None:
        sandbox.faults(kind="reset", when="after", operation="CreateOrgUserInvitation", count=1)
        sandbox.switches(list_lag_seconds=3600)
        with pytest.raises(M3terUnknownOutcomeError):
            invite().execute(context())
        sandbox.switches(list_lag_seconds=0)
        assert invite().execute(context(try_number=2))
        assert sandbox.emails() == {ADDRESS: 1}


class TestUnknownOutcome:
    """m3ter did it and gave no answer, or did not do it."""

    @pytest.mark.parametrize("fault", ["status", "reset", "drop", "hang", "garbled"])
    def test_a_lost_answer_is_looked_up_and_found(self, sandbox: SandboxServer, fault: str) -> None:
        spec: dict[str, Any] = {"status": 504} if fault == "status" else {}
        if fault != "garbled":
            spec["when"] = "after"
        sandbox.faults(kind=fault, operation="CreateOrgUserInvitation", count=1, **spec)
        wait = Waits()
        assert invite(sleep=wait).execute(context()) == sandbox.mailbox()[0]["invitationId"]
        assert wait.seconds == []
        assert sandbox.emails() == {ADDRESS: 1}

    def test_a_lost_answer_is_found_at_the_second_look(self, sandbox: SandboxServer) -> None:
        sandbox.switches(list_lag_seconds=3600)
        sandbox.faults(kind="status", status=504, when="after", operation="CreateOrgUserInvitation", count=1)
        wait = Waits(meanwhile=lambda: sandbox.switches(list_lag_seconds=0))
        assert invite(sleep=wait, settle_after=60).execute(context())
        assert wait.seconds == [60]
        assert sandbox.emails() == {ADDRESS: 1}

    def test_a_lost_answer_that_is_absent_is_left_to_airflows_retry(self, sandbox: SandboxServer) -> None:
        sandbox.faults(kind="status", status=504, when="before", operation="CreateOrgUserInvitation", count=1)
        wait = Waits()
        with pytest.raises(M3terUnknownOutcomeError):
            invite(sleep=wait).execute(context())
        assert wait.seconds == [120]
        assert sandbox.emails() == {}
        assert invite().execute(context(try_number=2))
        assert sandbox.emails() == {ADDRESS: 1}


class TestWhatCannotSucceed:
    """Fails at once: Airflow's retries would change nothing."""

    def test_refused_content_is_named_by_field(self, sandbox: SandboxServer) -> None:
        words = "lastName Marker-Surname of ann.example@example.com is not allowed"
        sandbox.faults(kind="status", status=400, message=words, operation="CreateOrgUserInvitation")
        with pytest.raises(AirflowFailException, match="names these fields: lastName") as error:
            invite().execute(context())
        assert not [word for word in PERSONAL if word in str(error.value)]
        assert error.value.__cause__ is None

    def test_a_conflict_with_what_is_there_is_a_success(self, sandbox: SandboxServer) -> None:
        """Somebody was quicker between our look and our POST."""
        sandbox.switches(pending_invitation="error_409", list_lag_seconds=3600)
        first = invite().execute(context())

        def shown() -> None:
            sandbox.switches(list_lag_seconds=0)

        operator = invite()
        create = operator.hook.create_invitation

        def create_late(*arguments: Any) -> Any:
            try:
                return create(*arguments)
            finally:
                shown()

        operator.hook.__dict__["create_invitation"] = create_late
        assert operator.execute(context()) == first
        assert sandbox.emails() == {ADDRESS: 1}

    def test_a_missing_right_fails_at_once(self, sandbox: SandboxServer) -> None:
        sandbox.switches(may_invite=False)
        with pytest.raises(AirflowFailException, match="config:create"):
            invite().execute(context())

    def test_a_connection_that_forbids_sending_fails_at_once(
        self, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_M3TER_STAGE", sandbox.airflow_connection(allow_invitations=False))
        with pytest.raises(AirflowFailException, match="allow_invitations"):
            invite(m3ter_conn_id="m3ter_stage").execute(context())
        assert sandbox.counts()["total"] == 0

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"first_name": ""}, "first_name"),
            ({"last_name": "x" * 101}, "last_name"),
            ({"first_name": "   "}, "first_name"),
            ({"email_address": "  "}, "e-mail address"),
            ({"email_address": "ann.example@example.com, eve@example.com"}, "not exactly one e-mail address"),
            ({"email_address": "ann.example@evil.example\u200b@example.com"}, "not exactly one e-mail address"),
            ({"email_address": '"Ann" <ann.example@example.com>'}, "not exactly one e-mail address"),
            ({"email_address": "ann.example@example.com\nBcc: eve@example.com"}, "not exactly one e-mail address"),
            ({"dt_expiry": "20270101"}, "dt_expiry: .* write date, time and zone"),
            ({"dt_end_access": 20270101}, "dt_end_access: .* write date, time and zone"),
            ({"dt_end_access": "2027"}, "dt_end_access: .* write date, time and zone"),
            ({"dt_expiry": "2020-01-01T00:00:00Z"}, "dt_expiry has passed"),
            ({"dt_end_access": datetime(2020, 1, 1, tzinfo=timezone.utc)}, "dt_end_access has passed"),
            ({"dt_expiry": "tomorrow"}, "dt_expiry"),
            ({"dt_end_access": "2030-01-01T00:00:00"}, "dt_end_access"),
            ({"permission_policies": "Nobody's policy"}, "No permission policy in m3ter has the name"),
            ({"permission_policies": "Read Onyl"}, "did you mean 'Read Only'"),
            ({"permission_policies": "[Read Only"}, "must be a list of names"),
            ({"m3ter_user": "perhaps"}, "m3ter_user"),
            ({"version": "new"}, "version"),
        ],
    )
    def test_wrong_arguments_fail_at_once(self, sandbox: SandboxServer, wrong: dict[str, Any], named: str) -> None:
        with pytest.raises(AirflowFailException, match=named) as error:
            invite(**wrong).execute(context())
        assert not [word for word in PERSONAL if word in str(error.value)]
        assert sandbox.emails() == {}

    def test_an_ambiguous_policy_name(self, sandbox: SandboxServer) -> None:
        sandbox.seed(policies=[{"id": "policy-1", "name": "Read"}, {"id": "policy-2", "name": "Read"}])
        with pytest.raises(AirflowFailException, match="2 permission policies"):
            invite(permission_policies=["Read"]).execute(context())
        assert invite(permission_policies=["policy-2"]).execute(context())


class TestPolicies:
    """The rights of a person are checked before the first POST."""

    @pytest.mark.parametrize(
        "wanted",
        [["Billing", "policy-1"], "Billing, policy-1", '["Billing", "policy-1"]', "['Billing', 'policy-1']"],
    )
    def test_policies_come_by_name_or_id_as_a_template_gives_them(self, sandbox: SandboxServer, wanted: Any) -> None:
        sandbox.seed(policies=[{"id": "policy-1", "name": "Readers"}, {"id": "policy-2", "name": "Billing"}])
        invite(permission_policies=wanted).execute(context())
        assert sandbox.invitations()[0]["permissionPolicyIds"] == ["policy-1", "policy-2"]

    @pytest.mark.parametrize("wanted", ["", "None", [""], " , "])
    def test_policies_without_a_name_are_refused(self, sandbox: SandboxServer, wanted: Any) -> None:
        with pytest.raises(AirflowFailException, match="permission_polic"):
            invite(permission_policies=wanted).execute(context())
        assert sandbox.emails() == {}

    @pytest.mark.parametrize("wanted", [None, [], "[]"])
    def test_an_invitation_needs_no_policies(self, sandbox: SandboxServer, wanted: Any) -> None:
        assert invite(permission_policies=wanted).execute(context())
        assert not sandbox.invitations()[0]["permissionPolicyIds"]

    @pytest.mark.parametrize("allowed", [["Readers"], "policy-1", [], "None"])
    def test_a_policy_that_is_not_allowed_is_refused(self, sandbox: SandboxServer, allowed: Any) -> None:
        sandbox.seed(policies=[{"id": "policy-1", "name": "Readers"}, {"id": "policy-2", "name": "Billing"}])
        with pytest.raises(AirflowFailException, match=r"has no .*'Billing' \(policy-2\)\. Nothing was sent"):
            invite(permission_policies="policy-2", allowed_permission_policies=allowed).execute(context())
        assert sandbox.emails() == {}

    def test_an_allowed_policy_is_sent(self, sandbox: SandboxServer) -> None:
        sandbox.seed(policies=[{"id": "policy-1", "name": "Readers"}])
        assert invite(permission_policies="policy-1", allowed_permission_policies="gone,Readers").execute(context())

    @pytest.mark.parametrize("wanted", ["Administrator", "chief", "Read Only, chief"])
    def test_administrators_need_their_own_switch(self, sandbox: SandboxServer, wanted: str) -> None:
        everything = [{"effect": "ALLOW", "action": ["ALL"], "resource": ["*"]}]
        sandbox.seed(policies=[{"id": "chief", "name": "Chief", "permissionPolicy": everything}])
        allowed = "Administrator, Chief, Read Only"
        with pytest.raises(AirflowFailException, match="allow_administrator=True"):
            invite(permission_policies=wanted, allowed_permission_policies=allowed).execute(context())
        assert sandbox.emails() == {}
        assert invite(permission_policies=wanted, allow_administrator=True).execute(context())


def test_every_documented_field_arrives(sandbox: SandboxServer) -> None:
    """As templates give them: text."""
    invite(
        contact_number="+44 5555 0199",
        permission_policies="Read Only",
        dt_end_access="2031-01-01T00:00:00+01:00",
        dt_expiry=datetime(2030, 12, 1, tzinfo=timezone.utc),
        m3ter_user="False",
        version="1",
    ).execute(context())
    (sent,) = sandbox.invitations()
    assert (sent["email"], sent["firstName"], sent["lastName"]) == (ADDRESS, "Annabella", "Marker-Surname")
    assert (sent["dtEndAccess"], sent["dtExpiry"]) == ("2030-12-31T23:00:00.000Z", "2030-12-01T00:00:00.000Z")
    documented = set(InvitationRequest.model_fields) - {"email", "permission_policy_ids"}
    assert documented | {"email_address", "permission_policies"} <= set(M3terCreateInvitationOperator.template_fields)


class TestEveryPost:
    """A POST that is repeated, since it certainly did nothing, comes after a look of its own."""

    @staticmethod
    def order(sandbox: SandboxServer) -> list[str]:
        wanted = {"POST /organizations/{orgId}/invitations": "POST", "GET /organizations/{orgId}/invitations": "look"}
        return [wanted[request["kind"]] for request in sandbox.requests() if request["kind"] in wanted]

    @staticmethod
    def hasty(operator: M3terCreateInvitationOperator, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let the operator's hook wait on a clock of its own; and what happens meanwhile."""
        clock = FakeClock()

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            meanwhile()

        operator.__dict__["hook"] = M3terHook(clock=clock, sleep=sleep)

    @pytest.mark.parametrize("status", [429, 401])
    def test_looks_again_before_it_is_repeated(self, sandbox: SandboxServer, status: int) -> None:
        sandbox.faults(kind="status", status=status, operation="CreateOrgUserInvitation", count=1)
        operator = invite()
        self.hasty(operator)
        assert operator.execute(context())
        assert self.order(sandbox) == ["look", "POST", "look", "POST"]
        assert sandbox.emails() == {ADDRESS: 1}

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_an_invitation_made_meanwhile_is_found_before_the_repeat(
        self, sandbox: SandboxServer, if_exists: str
    ) -> None:
        sandbox.faults(kind="status", status=429, operation="CreateOrgUserInvitation", count=1)
        theirs: list[str] = []

        def by_hand() -> None:
            if self.order(sandbox)[-1:] == ["POST"] and not theirs:
                theirs.extend(sandbox.seed(invitations=[{"email": ADDRESS}])["invitations"])

        operator = invite(if_exists=if_exists)
        self.hasty(operator, by_hand)
        if if_exists == "skip":
            assert operator.execute(context()) == theirs[0]
        else:
            with pytest.raises(AirflowFailException, match="already"):
                operator.execute(context())
        assert theirs
        assert sandbox.emails() == {}


def test_m3ter_down_is_left_to_airflows_retry(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(sandbox.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DOWN", json.dumps({**document, "host": "http://127.0.0.1:1"}))
    operator = invite(m3ter_conn_id="m3ter_down")
    operator.hook._sleep = Waits()
    with pytest.raises(M3terConnectionError):
        operator.execute(context())


@pytest.mark.filterwarnings("ignore:Setting email")
def test_airflow_never_alerts_the_new_hire() -> None:
    """An argument named ``email`` would send Airflow's failure alerts to the new hire."""
    operator = invite(email="data-team@example.org", retries=2)
    assert operator.email == "data-team@example.org"
    assert invite().email is None
    with DAG("alerts", schedule=None, default_args={"email": ["data-team@example.org"]}):
        assert invite()._field("email_address") == ADDRESS


def test_email_names_the_person_too(sandbox: SandboxServer) -> None:
    person = {"task_id": "invite", "first_name": "Annabella", "last_name": "Marker-Surname"}
    with DAG("alerts", schedule=None, default_args={"email": "data-team@example.org"}):
        operator = M3terCreateInvitationOperator(email=ADDRESS, **person)
        with pytest.raises(TypeError, match="the person to invite"):
            M3terCreateInvitationOperator(**person)
    assert (operator._field("email_address"), operator.email) == (ADDRESS, "data-team@example.org")
    alone = M3terCreateInvitationOperator(email=ADDRESS, **person)
    assert alone.email is None
    alone.execute(context())
    assert sandbox.emails() == {ADDRESS: 1}


class TestRenderedFields:
    """Airflow's own store of a task."""

    def test_personal_fields_are_hidden(self, sandbox: SandboxServer) -> None:
        from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

        operator = invite(first_name="{{ 'Al' }}", last_name="{{ name }}", contact_number="+44 5555 0199")
        with DAG("rendering", schedule=None) as dag:
            dag.add_task(operator)
        operator.render_template_fields({"name": "Marker-Surname"})  # type: ignore[typeddict-item,typeddict-unknown-key]
        stored = _serialize_rendered_fields(operator)
        assert [stored[name] for name in ("email_address", "first_name", "last_name", "contact_number")] == ["***"] * 4
        assert stored["m3ter_conn_id"] == "m3ter_default"
        operator.execute(context())
        assert sandbox.emails() == {ADDRESS: 1}

    def test_personal_fields_of_a_mapped_task_are_hidden(self, sandbox: SandboxServer) -> None:
        from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

        with DAG("rendering", schedule=None) as dag:
            mapped = M3terCreateInvitationOperator.partial(
                task_id="invite", first_name="{{ 'Anna' }}bella", last_name="Marker-Surname", sleep=Waits()
            ).expand(email_address=[ADDRESS])
        surroundings = {**context(), "dag": dag, "run_id": "run"}
        surroundings["ti"].map_index, surroundings["dag_run"].conf = 0, {}
        mapped.render_template_fields(surroundings)
        task = surroundings["task"]
        stored = _serialize_rendered_fields(task)
        assert not [word for word in PERSONAL if word in str(stored)]
        assert [stored[name] for name in ("email_address", "first_name", "last_name")] == ["***"] * 3
        task.execute(surroundings)
        assert sandbox.emails() == {ADDRESS: 1}

    @pytest.mark.parametrize("value", ["{{ params.missing or '' }}", "{{ none }}", "  ", "{{ ' ' }}"])
    @pytest.mark.parametrize(
        ("field", "said"), [("email_address", "The e-mail address is empty"), ("last_name", "last_name: is empty")]
    )
    def test_a_template_without_a_value_is_called_empty(
        self, sandbox: SandboxServer, field: str, said: str, value: str
    ) -> None:
        operator = invite(**{field: value})
        surroundings = {**context(), "params": {"missing": None}}
        operator.render_template_fields(surroundings)
        with pytest.raises(AirflowFailException, match=f"{said}, perhaps since a template had no value"):
            operator.execute(surroundings)
        assert sandbox.posts() == 0

    def test_a_template_in_what_another_task_returned_is_not_rendered(self, sandbox: SandboxServer) -> None:
        operator = invite(first_name="{{ ti.xcom_pull() }}")
        surroundings = context()
        surroundings["ti"].xcom_pull = lambda: "{{ 7 * 7 }}"
        operator.render_template_fields(surroundings)
        # 49 would be a name; a brace is none.
        with pytest.raises(AirflowFailException, match=r"first_name: .*holds markup \(U\+007B\)"):
            operator.execute(surroundings)
        assert sandbox.posts() == 0

    @pytest.mark.parametrize("refused", [False, True])
    @pytest.mark.parametrize("mapped", [False, True])
    def test_airflows_database_and_logs_hold_nobody(
        self,
        sandbox: SandboxServer,
        airflow_home: Path,
        airflow_db: Path,
        capfd: pytest.CaptureFixture[str],
        refused: bool,
        mapped: bool,
    ) -> None:
        """All that Airflow wrote into its database and logs about the run knows nobody."""
        if refused:
            words = "lastName Marker-Surname of ann.example@example.com is not allowed"
            sandbox.faults(kind="status", status=400, message=words, operation="CreateOrgUserInvitation")
        dag_id = f"invite_one_{refused}_{mapped}"
        file = airflow_home / "dags" / f"{dag_id}.py"
        text = DAG_OF_ONE.replace("invite_one", dag_id)
        if mapped:
            text = text.replace("Operator(", "Operator.partial(")
            text = text.rstrip() + '.expand(permission_policies=[["Read Only"], "Read Only"])\n'
        file.write_text(text)
        try:
            run = runpy.run_path(str(file))["dag"].test()
        finally:
            file.unlink()
        assert str(run.state) == ("failed" if refused else "success")
        assert sandbox.emails() == ({} if refused else {ADDRESS: 1})
        written = capfd.readouterr()
        stored = _everything_in(airflow_db)
        for text in (written.out, written.err, stored):
            assert not [word for word in PERSONAL if word in text]
        assert '"***"' in stored, "the rendered fields"
        assert "_link_M3terConsoleLink" in stored
        if refused:
            assert "m3ter names these fields: lastName" in written.out + written.err
        else:
            assert sandbox.mailbox()[0]["invitationId"] in stored, "XCom holds the id"


class TestWhatOthersRead:
    """The serialized DAG, and OpenLineage's default, which writes down every attribute of a task."""

    def test_the_serialized_dag_knows_nobody(self) -> None:
        with DAG("serialized", schedule=None) as dag:
            operator = invite(contact_number="+44 5555 0199")
            invite(task_id="by_template", email_address="{{ params.address }}", first_name=operator.output)
        serialized = json.dumps(DagSerialization.to_dict(dag))
        assert not [word for word in PERSONAL if word in serialized]
        assert '"***"' in serialized
        assert "{{ params.address }}" in serialized
        assert dag.task_dict["by_template"].upstream_task_ids == {"invite"}

    @pytest.mark.parametrize("rendered", [False, True])
    def test_attributes_of_the_operator_hold_nobody(self, sandbox: SandboxServer, rendered: bool) -> None:
        with DAG("attributes", schedule=None):
            operator = invite(contact_number="+44 5555 0199")
        if rendered:
            operator.render_template_fields(context())
            operator.execute(context())
        # The arguments as they were given; Airflow and OpenLineage leave them alone.
        attributes = {name: value for name, value in vars(operator).items() if name != "_BaseOperator__init_kwargs"}
        seen = f"{attributes!r} {json.dumps(attributes, default=str)} {operator!r}"
        assert not [word for word in PERSONAL if word in seen]
        assert "***" in seen

    def test_the_fields_survive_a_copy(self, sandbox: SandboxServer) -> None:
        operator = copy.deepcopy(invite())
        operator.execute(context())
        assert sandbox.emails() == {ADDRESS: 1}


class TestConsoleLink:
    def test_goes_to_the_console_of_m3ters_own_api_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        key = cast("TaskInstanceKey", None)
        document = json.loads(connection_to("https://api.m3ter.com").as_json())
        for host, link in (("", CONSOLE), ("https://api.m3ter.com", CONSOLE), ("http://127.0.0.1:1", "")):
            monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", json.dumps({**document, "host": host}))
            assert M3terConsoleLink().get_link(invite(), ti_key=key) == link
        monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", json.dumps({**document, "login": ""}))
        assert M3terConsoleLink().get_link(invite(), ti_key=key) == ""

    def test_airflows_pages_find_it_in_xcom(self) -> None:
        assert "m3ter_provider.links.M3terConsoleLink" in get_provider_info()["extra-links"]
        with DAG("links", schedule=None) as dag:
            invite()
        task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("invite")
        (link,) = task.operator_extra_links
        assert (link.name, link.xcom_key) == ("m3ter Console", "_link_M3terConsoleLink")


# No name stands in it as such: what is found in the database would come from the run.
DAG_OF_ONE = """
from datetime import datetime, timezone

from airflow.sdk import DAG
from m3ter_provider.operators.invitation import M3terCreateInvitationOperator

with DAG("invite_one", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    M3terCreateInvitationOperator(
        task_id="invite",
        email_address="{{ 'ann' }}.{{ 'example' }}@example.com",
        first_name="{{ 'Anna' }}{{ 'bella' }}",
        last_name="Marker{{ '-' }}Surname",
        contact_number="+44 {{ '5555' }} {{ '0199' }}",
    )
"""


def _everything_in(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(str(row) for table in tables for row in connection.execute(f'SELECT * FROM "{table}"'))
