"""``python -m tests.chaos.selftest``: bugs are planted, one at a time, and each must turn the cases red."""

from __future__ import annotations

import sys

from tests.support.planted_bugs import ONBOARDING, PROVIDER, Bug, SelfTest, line_with

#: A bug's ``cases`` are names, or parts of names, of cases.
BUGS: tuple[Bug, ...] = (
    Bug(
        "another host under the organisation's id is taken for the same m3ter",
        (
            (
                f"{ONBOARDING}/ledger/known_hosts.py",
                "if known is not None and known != place.base_url:",
                "if not place:",
            ),
        ),
        ("another m3ter",),
    ),
    Bug(
        "a token that ended is taken for a missing right",
        (
            (
                f"{PROVIDER}/call_flow.py",
                "if self.used.has(listing) or self.used.has(call) or self.tokens.die_early:",
                "if not listing:",
            ),
            (f"{PROVIDER}/call_flow.py", "if not self.tokens.die_early:", "if listing := call:"),
        ),
        ("m3ter, dying tokens",),
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
        ("mirrored before the attempt",),
    ),
    Bug(
        "the lease is not checked before a POST",
        ((f"{ONBOARDING}/sending/lease.py", "return self.clock() + seconds < self.ends_at", "return True"),),
        ("zombie",),
    ),
    Bug(
        "the lease is not checked once more before the first byte of a POST",
        (
            (
                f"{PROVIDER}/hooks/m3ter_async.py",
                "        if self._check is None:\n",
                "        if self._check is not print:\n",
            ),
        ),
        (
            "wakes up / without answers: send, POST invitations: begins",
            "wakes up / first run: send, POST invitations: begins",
        ),
    ),
    Bug(
        "a compare-and-set names the state, not the claim",
        ((f"{ONBOARDING}/ledger/outcomes.py", "            and self.claim in (None, row.claim_token)\n", ""),),
        ("crossed",),
    ),
    Bug(
        "a POST without an answer is sent again",
        (
            (
                f"{ONBOARDING}/sending/attempt.py",
                'Outcome(row_id, InvitationState.UNKNOWN, "no_answer"',
                'Outcome(row_id, InvitationState.UNSENT, "unexpected"',
            ),
        ),
        ("POST: 504 after",),
    ),
    Bug(
        "the client repeats a POST after a lost answer, as the official SDK does",
        (
            (
                f"{PROVIDER}/retries.py",
                "DID_NOTHING = _raised(M3terConnectionError, M3terRateLimitError, M3terNotFoundError)",
                """from m3ter_provider.errors import M3terUnknownOutcomeError

DID_NOTHING = retry_if_exception(
    lambda e: isinstance(e, (M3terConnectionError, M3terRateLimitError, M3terUnknownOutcomeError))
)""",
            ),
        ),
        ("POST: 504 after", "POST: reset after"),
    ),
    Bug(
        "that an attempt begins is committed after its POST instead of before",
        (
            (
                f"{ONBOARDING}/sending/sender.py",
                """        begun = await asyncio.to_thread(
            begin_attempts,
            self.org.db,
            token=group[0].token,
            invitation_ids=[attempt.claimed.invitation_id for attempt in group],
            plan_id=self.to_send.plan_id,
        )
""",
                """        begun = {attempt.claimed.invitation_id for attempt in group}
        asyncio.get_running_loop().call_later(
            0.2,
            lambda: asyncio.ensure_future(
                asyncio.to_thread(
                    begin_attempts,
                    self.org.db,
                    token=group[0].token,
                    invitation_ids=list(begun),
                    plan_id=self.to_send.plan_id,
                )
            ),
        )
""",
            ),
        ),
        ("60 s behind, killed",),
    ),
    Bug(
        "absence counts at once, without waiting for late commits and the list's lag",
        (
            (f"{ONBOARDING}/ledger/open_invitations.py", "return self.first_absent_ms + settle_after_ms", "return 0"),
            (f"{ONBOARDING}/ledger/open_invitations.py", "return ended + settle_after_ms", "return ended"),
            (
                f"{ONBOARDING}/mirroring/lost_answers.py",
                "if look_ms < row.first_absent_ms + settle_after_ms:",
                "if look_ms < row.first_absent_ms:",
            ),
        ),
        ("late commit", "s behind"),
    ),
    Bug(
        "users are not read when settling",
        (
            (
                f"{ONBOARDING}/mirroring/m3ter_lists.py",
                "    looked = await mirror_invitations(org, until=until)\n    await mirror_users(org, looked)\n",
                "    looked = await mirror_invitations(org, until=until)\n",
            ),
        ),
        ("accepted missing",),
    ),
    Bug(
        "m3ter is not read before a send",
        (
            (
                f"{ONBOARDING}/sending/recurring_checks.py",
                "        looked = await look_again(self._org, policies=True)\n",
                "        from m3ter_onboarding.ledger.mirror import policies_of\n",
            ),
            (
                f"{ONBOARDING}/sending/recurring_checks.py",
                "return looked.policies",
                "return policies_of(self._org.db, self._org.org_id)",
            ),
        ),
        ("invited by hand or member meanwhile",),
    ),
    Bug(
        "the old plan of a run may be sent beside its new one",
        ((f"{ONBOARDING}/ledger/plans.py", "        ~_newer_exists(t),\n    )", "    )"),),
        ("plan cleared while",),
    ),
    Bug(
        "a list that is not newest first is read only to its first old page",
        (
            (
                f"{ONBOARDING}/mirroring/m3ter_lists.py",
                "ordered = newest_first.holds(page)",
                "ordered = True",
            ),
            (
                f"{ONBOARDING}/mirroring/m3ter_lists.py",
                "stop_before is not None and await asyncio.to_thread(mirror.order_is_doubtful, db, org_id)",
                "False",
            ),
        ),
        ("three pages long",),
    ),
    Bug(
        "a day that failed is forgotten",
        (
            (
                f"{ONBOARDING}/planning/run_start.py",
                "caught_up_until=catch_up.caught_up_until(db, run.key, org_id, not_before)",
                "caught_up_until=None",
            ),
            (
                f"{ONBOARDING}/planning/run_start.py",
                "waiting_since=catch_up.waiting_since(db, org_id, not_before, now)",
                "waiting_since=None",
            ),
        ),
        ("SIGKILL at every write and call / first run: plan", "an outage"),
    ),
    Bug(
        "a backfill that may not send sends",
        (
            (
                f"{ONBOARDING}/planning/run_start.py",
                'if run_type == "backfill" and not',
                'if run_type == "dreamt of" and not',
            ),
        ),
        ("backfill",),
    ),
    Bug(
        "no answer is taken for a success",
        (
            (
                f"{ONBOARDING}/sending/attempt.py",
                'Outcome(row_id, InvitationState.UNKNOWN, "no_answer"',
                'Outcome(row_id, InvitationState.SENT, "answered"',
            ),
        ),
        ("POST: 504 before",),
    ),
    Bug(
        "changed policies are sent all the same",
        (
            (
                f"{ONBOARDING}/sending/preflight.py",
                "    check_policies(plan.policies, policies)\n",
                "",
            ),
        ),
        ("policy",),
    ),
    Bug(
        "a sender trusts the graph, and asks the ledger for no approval",
        (
            (
                f"{ONBOARDING}/ledger/plans.py",
                """        or_(
            ~t.plan.c.needs_approval,
            and_(t.plan.c.approved_at.is_not(None), t.plan.c.approved_fingerprint == t.plan.c.fingerprint),
        ),
        t.plan""",
                "        t.plan",
            ),
            (
                f"{ONBOARDING}/sending/right_to_send.py",
                "if plan.needs_approval and not plan.approved and not asking:",
                "if plan.needs_approval and not plan.approved and asking is None:",
            ),
            (
                f"{ONBOARDING}/sending/right_to_send.py",
                "if plan.approved or not usage.still_to_send:",
                "if plan.approved is not None:",
            ),
        ),
        ("approve marked successful",),
    ),
    Bug(
        "an approval of another fingerprint counts",
        (
            (
                f"{ONBOARDING}/ledger/plans.py",
                "this = and_(p.plan_id == shown.plan_id, p.fingerprint == shown.fingerprint)",
                "this = p.fingerprint.is_not(None)",
            ),
            (
                f"{ONBOARDING}/ledger/plans.py",
                "approved_fingerprint=shown.fingerprint, approval_seal",
                "approved_fingerprint=p.fingerprint, approval_seal",
            ),
            (
                f"{ONBOARDING}/sending/bound_plan.py",
                "        if not plan.approved:\n            return",
                "        if plan.plan_id:\n            return",
            ),
        ),
        ("an old plan",),
    ),
    Bug(
        "an answer of no user is an approval",
        (
            (
                f"{ONBOARDING}/sending/approval.py",
                "    who = answer.user\n    again",
                '    who = answer.user or "x"\n    again',
            ),
        ),
        ("an answer of nobody",),
    ),
    Bug(
        "no answer in time is an approval",
        (
            (
                f"{ONBOARDING}/tasks/approve.py",
                "                    raise approval.record_no_answer(db, run, utc_now())\n",
                """                    answer = approval.Answer(True, "x", utc_now())
                    key = SealingKey.of_connection(self._connection_settings())
                    approval.record_answer(db, run, answer, key)
                    return None
""",
            ),
        ),
        ("no answer in time",),
    ),
    Bug(
        "a rejection is forgotten, so that the question may be asked until somebody approves",
        ((f"{ONBOARDING}/ledger/plans.py", "values(rejected_by=by, rejected_at=at)", "values(rejected_by=by)"),),
        ("/ rejected /",),
    ),
    Bug(
        "a pause switch fails open",
        (
            (
                f"{ONBOARDING}/sending/pause_switch.py",
                "if value is None and self._was_set:",
                "if value is self._was_set:",
            ),
        ),
        ("not to be asked any more",),
    ),
    Bug(
        "the pause switch is read at the beginning only",
        (
            (
                f"{ONBOARDING}/sending/recurring_checks.py",
                "if self._clock() - self._asked_at >= ASK_PAUSE_EVERY:",
                "if self._asked_at > math.inf:",
            ),
        ),
        ("pause switch thrown / while it sends",),
    ),
    Bug(
        "a breaker never opens",
        ((f"{ONBOARDING}/sending/circuit_breaker.py", "in_a_row >= self.failures:", "in_a_row < 0:"),),
        ("breaker / ",),
    ),
    Bug(
        "one plan asks again and again for a person that m3ter refuses",
        (
            (
                f"{ONBOARDING}/ledger/claim_statements.py",
                'and_(of_decision(d.reason) == "requested", func.coalesce(i.plan_id, "") != claim.plan_id),',
                'of_decision(d.reason) == "requested",',
            ),
            (
                f"{ONBOARDING}/ledger/remaining.py",
                'asked_for = and_(d.reason == "requested", func.coalesce(i.plan_id, "") != d.plan_id)',
                'asked_for = d.reason == "requested"',
            ),
        ),
        ("m3ter refuses still",),
    ),
    Bug(
        "a baseline sends",
        (
            (
                f"{ONBOARDING}/config/run_parameters.py",
                "return self not in (Mode.DRY_RUN, Mode.BASELINE)",
                "return self is not Mode.DRY_RUN",
            ),
        ),
        ("baseline, then normal",),
    ),
)

SELF_TEST = SelfTest(
    "tests.chaos.selftest",
    BUGS,
    lambda cases: [
        *("-m", "tests.chaos", "--max-failures", "1", "--jobs", "2"),
        *(part for case in cases for part in ("--case", case)),
    ],
    lambda output: line_with(output, "FAILED  "),
)

if __name__ == "__main__":
    sys.exit(SELF_TEST.main())
