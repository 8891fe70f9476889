"""``python -m tests.guards.selftest``: each guard is taken away, one at a time, and the tests must notice it.

The guards of docs/security.md, as far as fast tests and no cases of chaos are what holds them.
"""

from __future__ import annotations

import sys

from tests.support.planted_bugs import ONBOARDING, PROVIDER, Bug, SelfTest, line_with

_BOUND = "tests/rules/test_d08_bound_plan.py"
_APPROVERS = "tests/rules/test_d08_approvers.py"
_TODAY = "tests/rules/test_d08_todays_settings.py"


def _of(file: str, test: str) -> str:
    return f"{file}::{test}"


#: A bug's ``cases`` are tests.
BUGS: tuple[Bug, ...] = (
    Bug(
        "who is to be decided about by a person now is sent all the same",
        ((f"{ONBOARDING}/sending/todays_settings.py", "                or _of_occasion(sealed.reason, rules)\n", ""),),
        (f"{_TODAY}::test_d08_occasions_and_days_that_became_narrower_hold_people_back",),
    ),
    Bug(
        "who is too old or too early by the settings of now is sent all the same",
        ((f"{ONBOARDING}/sending/todays_settings.py", "                or out_of_time.get(sealed.row_no)\n", ""),),
        (f"{_TODAY}::test_d08_occasions_and_days_that_became_narrower_hold_people_back",),
    ),
    Bug(
        "the first e-mail needs no look",
        (
            (
                f"{ONBOARDING}/tasks/plan.py",
                "if plans_only_because is None and not looked_at:",
                "if plans_only_because and not looked_at:",
            ),
        ),
        ("tests/rules/test_d05_first_look.py::test_d05_a_first_run_plans_only_and_says_how_to_go_on",),
    ),
    Bug(
        "a run that may send only the plan that was looked at sends another",
        (
            (
                f"{ONBOARDING}/planning/sealed_plan.py",
                "run.plans_only_because or _other_than_seen(run, hashed)",
                "run.plans_only_because",
            ),
        ),
        ("tests/onboarding/tasks/test_modes.py::test_a_plan_that_nobody_looked_at_is_not_sent_for_another",),
    ),
    Bug(
        "a look at one person is one at everybody",
        (
            (
                f"{ONBOARDING}/ledger/first_look.py",
                "= run.only_employee.is_(None)",
                "= run.mode.is_not(None)",
            ),
        ),
        ("tests/rules/test_d05_first_look.py::test_d05_a_look_at_one_person_is_for_that_person_alone",),
    ),
    Bug(
        "a request is not compared before its POST",
        ((f"{ONBOARDING}/sending/attempt.py", "bound.check_before_post(claimed)", "assert bound"),),
        (f"{_BOUND}::test_d08_a_request_that_is_changed_while_it_is_sent_stops_the_sender",),
    ),
    Bug(
        "the requests of a plan are not compared when its sending starts",
        (
            (
                f"{ONBOARDING}/sending/preflight.py",
                "requests = await asyncio.to_thread(bound.check_requests, org.db)",
                "requests = []",
            ),
        ),
        (f"{_BOUND}::test_d08_a_row_that_was_added_or_taken_away_stops_the_plan",),
    ),
    Bug(
        "the head of a plan is not compared",
        ((f"{ONBOARDING}/sending/preflight.py", "    bound.check_head()\n", ""),),
        (f"{_BOUND}::test_d08_a_dry_run_cannot_be_made_sendable",),
    ),
    Bug(
        "an approval that was written by hand counts",
        (
            (
                f"{ONBOARDING}/sending/bound_plan.py",
                "        if not plan.approved:\n            return",
                "        if plan.plan_id:\n            return",
            ),
        ),
        (f"{_BOUND}::test_d08_an_approval_that_was_written_by_hand_is_none",),
    ),
    Bug(
        "the policies of a request are not among what the seal covers",
        ((f"{ONBOARDING}/ledger/sealing.py", "{request_hash},{request}]", "{request_hash}]"),),
        (f"{_BOUND}::test_d08_a_request_that_was_changed_after_the_approval_is_not_sent",),
    ),
    Bug(
        "anybody approves",
        (
            (
                f"{ONBOARDING}/sending/approval.py",
                "if settings.approvers and not answer.names & set(settings.approvers):",
                "if settings.approvers and not answer.names:",
            ),
        ),
        (f"{_APPROVERS}::test_d08_only_approvers_approve_and_the_question_says_who",),
    ),
    Bug(
        "who triggered approves",
        (
            (
                f"{ONBOARDING}/sending/approval.py",
                "if settings.not_by_who_triggered and triggered_by in answer.names:",
                "if settings.not_by_who_triggered and triggered_by is answer:",
            ),
        ),
        (f"{_APPROVERS}::test_d08_who_triggered_does_not_approve",),
    ),
    Bug(
        "a day is sent in slices",
        (
            (
                f"{ONBOARDING}/planning/approval_rule.py",
                "return max(plan.by_run_before, plan.in_a_day) if self.per_day else plan.by_run_before",
                "return plan.by_run_before",
            ),
        ),
        (f"{_APPROVERS}::test_d08_a_day_is_not_sent_in_slices",),
    ),
    Bug(
        "a rejected plan is sent in slices",
        (
            (
                f"{ONBOARDING}/ledger/rejections.py",
                "        if connection.execute(rejected.limit(1)).first() is None:\n",
                "        if rejected is not None:\n",
            ),
        ),
        (f"{_APPROVERS}::test_d08_a_rejection_holds_for_its_people_until_an_approval",),
    ),
    Bug(
        "a parameter lifts the cap without a question",
        (
            (
                f"{ONBOARDING}/planning/approval_rule.py",
                "unlifted=configured if lifts else None,",
                "unlifted=None if lifts else None,",
            ),
        ),
        (f"{_APPROVERS}::test_d08_a_parameter_that_lifts_the_cap_needs_an_approval",),
    ),
    Bug(
        "the whole past is sent without a question",
        (
            (
                f"{ONBOARDING}/planning/approval_rule.py",
                "everybody=parameters.mode is Mode.FULL,",
                "everybody=False,",
            ),
        ),
        (f"{_APPROVERS}::test_d08_everybody_of_the_whole_past_needs_an_approval",),
    ),
    Bug(
        "people who were excluded since the plan are sent",
        (
            (
                f"{ONBOARDING}/tasks/send.py",
                "today=TodaysSettings(config, self._parameters(context), hook.settings.allowed_domains),",
                "today=None,",
            ),
        ),
        (f"{_TODAY}::test_d08_what_the_configuration_forbids_since_the_plan_is_not_sent",),
    ),
    Bug(
        "an expired invitation is renewed by the plan that sent it",
        (
            (
                f"{ONBOARDING}/ledger/claim_statements.py",
                "(address_taken, ended_since, employee_taken)",
                "(address_taken, employee_taken)",
            ),
        ),
        ("tests/rules/test_d12_lost_answers.py::test_d12_expired_under_a_plan_is_not_renewed_by_it",),
    ),
    Bug(
        "people who are held back are claimed all the same",
        (
            (
                f"{ONBOARDING}/ledger/claim_statements.py",
                "            ~is_withheld(t, t.decision),\n            *(",
                "            *(",
            ),
        ),
        (f"{_TODAY}::test_d08_what_the_configuration_forbids_since_the_plan_is_not_sent",),
    ),
    Bug(
        "a row may ask for any policy",
        (
            (
                f"{ONBOARDING}/planning/restrictions.py",
                "        if isinstance(allowed, str):\n",
                "        if not isinstance(allowed, list):\n",
            ),
        ),
        (f"{_TODAY}::test_d08_what_the_configuration_forbids_since_the_plan_is_not_sent",),
    ),
    Bug(
        "creating and updating policies makes no administrator",
        (
            (
                f"{PROVIDER}/administrators.py",
                "return any(fnmatchcase(writing, pattern) for writing in _WRITING)",
                "return all(fnmatchcase(writing, pattern) for writing in _WRITING)",
            ),
        ),
        ("tests/provider/test_administrators.py",),
    ),
    Bug(
        "the ledger's copy of a policy is believed when sending begins",
        ((f"{ONBOARDING}/sending/preflight.py", "    check_policies(plan.policies, policies)\n", ""),),
        (f"{_BOUND}::test_d08_a_mirror_that_lies_about_policies_makes_no_administrator",),
    ),
    Bug(
        "another address may be shown than is sent",
        (
            (
                f"{ONBOARDING}/sending/bound_plan.py",
                "stored.seal if stored.shows_what_is_sent else None",
                "stored.seal",
            ),
        ),
        (f"{_BOUND}::test_d08_the_address_that_people_see_is_the_one_that_is_sent",),
    ),
    Bug(
        "plans that are sent at the same time are each below the threshold",
        ((f"{ONBOARDING}/ledger/claims.py", "if others > claim.others_without_approval:", "if others < 0:"),),
        (f"{_APPROVERS}::test_d08_plans_that_are_sent_at_the_same_time_count_together_at_every_claim",),
    ),
    Bug(
        "each run of a backfill lifts the cap by itself",
        (
            (
                f"{ONBOARDING}/planning/approval_rule.py",
                "before = max(plan.by_run_before, plan.by_backfills)",
                "before = plan.by_run_before",
            ),
        ),
        (f"{_APPROVERS}::test_d08_backfills_that_lift_the_cap_count_together",),
    ),
    Bug(
        "a parameter reads the whole past without a question",
        ((f"{ONBOARDING}/planning/approval_rule.py", "if self.long_ago else None", "if self is None else None"),),
        (f"{_APPROVERS}::test_d08_days_of_long_ago_are_asked_for",),
    ),
    Bug(
        "people of an organisation that m3ter did not let in are erased",
        (
            (
                f"{ONBOARDING}/tasks/erase_people.py",
                "self._check_admitted(db, settings)",
                "self._check_host(db, settings)",
            ),
        ),
        (
            "tests/onboarding/tasks/test_erase_people.py::test_nobody_is_erased_for_a_connection_that_m3ter_never_let_in",
        ),
    ),
    Bug(
        "whatever was there before is taken for the lost invitation",
        (
            (
                f"{ONBOARDING}/ledger/mirror_comparison.py",
                "self.at_ms >= attempt_started_ms - margin_ms and self.first_seen_ms >= attempt_started_ms",
                "self.at_ms >= attempt_started_ms - margin_ms",
            ),
        ),
        ("tests/rules/test_d12_lost_answers.py::test_d12_an_entry_mirrored_before_the_attempt_explains_nothing",),
    ),
    Bug(
        "nothing of m3ter's may be the lost invitation under another address",
        (
            (
                f"{ONBOARDING}/ledger/mirror_comparison.py",
                "self.at_ms >= attempt_started_ms - margin_ms and self.first_seen_ms >= attempt_started_ms",
                "self.first_seen_ms < 0 and attempt_started_ms < margin_ms",
            ),
        ),
        ("tests/rules/test_d12_lost_answers.py::test_d12_an_entry_that_came_after_the_attempt_may_be_of_it",),
    ),
    Bug(
        "a writer of the ledger says which plan people were shown",
        (
            (
                f"{ONBOARDING}/ledger/plans.py",
                "proved = key.holds(shown.seal, key.of_question(shown.plan_id, shown.fingerprint))",
                "proved = len(key.of_question(shown.plan_id, shown.fingerprint)) > 0",
            ),
        ),
        (
            "tests/onboarding/sending/test_approval.py::test_d08_a_plan_that_somebody_wrote_down_as_shown_is_not_approved",
        ),
    ),
    Bug(
        "one person who is turned away each time keeps everybody waiting",
        (
            (
                f"{ONBOARDING}/ledger/claim_statements.py",
                "which = turned_away if claim.turned_away else not_(turned_away)",
                "which = or_(turned_away, not_(turned_away))",
            ),
        ),
        ("tests/rules/test_d13_d15_answers.py",),
    ),
    Bug(
        "a reading that breaks off fixes no host",
        (
            (
                f"{ONBOARDING}/mirroring/m3ter_lists.py",
                "            await asyncio.to_thread(fix_host, db, org.place, org.now())\n",
                "            assert fix_host\n",
            ),
        ),
        ("tests/onboarding/tasks/test_known_host_tasks.py",),
    ),
    Bug(
        "a YAML file names any class as a notifier",
        (
            (
                f"{ONBOARDING}/reporting/notifier_classes.py",
                "    if path not in _declared() and path not in _listed() and not is_written_as_notifier(path):",
                "    if not path:",
            ),
        ),
        ("tests/onboarding/reporting/test_notifier_classes.py",),
    ),
    Bug(
        "a class that is no notifier is one",
        (
            (
                f"{ONBOARDING}/reporting/notifier_classes.py",
                "    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):",
                "    if found is None:",
            ),
        ),
        ("tests/onboarding/reporting/test_notifier_classes.py",),
    ),
    Bug(
        "a name may hold a web address or markup",
        (
            (
                f"{PROVIDER}/person_names.py",
                "    return _why_not_visible(text) or _why_not_plain(text)",
                "    return _why_not_visible(text)",
            ),
        ),
        ("tests/provider/test_person_names.py",),
    ),
    Bug(
        "a name below localhost is this machine",
        ((f"{PROVIDER}/connection.py", '    if name == "localhost":', '    if name.endswith("localhost"):'),),
        ("tests/provider/test_connection.py",),
    ),
    Bug(
        "a failed run opens an organisation's people",
        (
            (
                f"{ONBOARDING}/ledger/reads/scopes.py",
                "    a = t.admission.c\n",
                "    a = t.run.c\n",
            ),
        ),
        ("tests/onboarding/page/test_scopes.py",),
    ),
    Bug(
        "an address that looks like another's is another person's",
        (
            (
                f"{ONBOARDING}/planning/planner.py",
                "if self._statuses.looks_alike(address, hire.email_key, hire.email):",
                "if hire is None:",
            ),
        ),
        ("tests/rules/test_d07_similar_addresses.py::test_d07_the_second_of_two_people_is_a_question",),
    ),
    Bug(
        "everybody on the machine may read a new SQLite ledger",
        ((f"{ONBOARDING}/ledger/private_file.py", "os.O_RDWR, 0o600))", "os.O_RDWR, 0o644))"),),
        (
            _of(
                "tests/onboarding/ledger/test_private_file.py",
                "test_a_new_ledger_and_what_sqlite_puts_beside_it_are_the_owners",
            ),
        ),
    ),
    Bug(
        "m3ter's ids and addresses reach the database as they came",
        (
            (
                f"{ONBOARDING}/ledger/sql_types.py",
                "return None if value is None else usable_identity(value, self.length)",
                "return value",
            ),
        ),
        ("tests/rules/test_d01_d13_strange_values.py::test_d13_the_columns_themselves_take_whatever_reaches_them",),
    ),
    Bug(
        "a policy that m3ter does not show is trusted by its name",
        (
            (
                f"{ONBOARDING}/planning/plan_settings.py",
                "if not policy.statements_shown and policy.id in named else policy",
                "if not policy.statements_shown and named.intersection((policy.id, policy.name)) else policy",
            ),
        ),
        (
            _of(
                "tests/onboarding/planning/test_planner.py",
                "test_a_policy_that_m3ter_does_not_show_is_trusted_only_by_its_id",
            ),
        ),
    ),
    Bug(
        "a task uses what others' connections have read",
        (
            (
                f"{ONBOARDING}/tasks/onboarding_task.py",
                "        check_admitted(db, dag_id_of(self.config.name), settings.org_id)\n",
                "",
            ),
        ),
        ("tests/onboarding/tasks/test_known_host_tasks.py::test_a_failed_run_opens_nobodys_people",),
    ),
    Bug(
        "the sandbox answers under any name",
        (("include/m3ter_sandbox/admission.py", "421,", "200,"),),
        ("tests/sandbox/test_admission.py",),
    ),
    Bug(
        "pages of other sites steer the sandbox",
        (
            (
                "include/m3ter_sandbox/admission.py",
                "and _is_cross_site(headers,",
                "and not headers and _is_cross_site(headers,",
            ),
        ),
        ("tests/sandbox/test_admission.py",),
    ),
)

SELF_TEST = SelfTest(
    "tests.guards.selftest",
    BUGS,
    lambda cases: ["-m", "pytest", "-q", "-n", "0", "-k", "not postgresql", *cases],
    lambda output: line_with(output, " failed"),
)

if __name__ == "__main__":
    sys.exit(SELF_TEST.main())
