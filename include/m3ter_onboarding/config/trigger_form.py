"""The parameters of a run as the trigger dialogue of Airflow shows them."""

from __future__ import annotations

from airflow.sdk import Param

from m3ter_onboarding.clock import INSTANT_PATTERN
from m3ter_onboarding.config.run_parameters import FINGERPRINT_PATTERN, LONGEST_EMPLOYEE_ID, Mode, RunParameters

#: The modes, as the trigger dialogue names them.
_MODES = {
    Mode.NORMAL: "Invite: plan, then send",
    Mode.DRY_RUN: "Dry run: plan only, send nothing",
    Mode.BASELINE: "Baseline: adopt what m3ter has, send nothing",
    Mode.FULL: "Full: plan everybody again, then send",
    Mode.RETRY_FAILED: "Retry: also people whom m3ter refused",
}

_DAYS, _LIMITS, _ERASURE = "Other days", "Limits and backfill", "Erasure"

#: As far as Airflow checks it before the run starts; ``snapshot`` checks the rest. Empty is as good as not given.
_INSTANT = f"^(|{INSTANT_PATTERN})$"


def run_parameters() -> dict[str, Param]:
    """Return the parameters of a run, as the trigger dialogue shows them.

    Parameters without a section are open at once; sections are closed, and an ordinary run needs none. No code in the
    texts: the form draws its box over the line above.
    """
    defaults = RunParameters()
    return {
        "mode": Param(
            defaults.mode.value,
            type="string",
            enum=[mode.value for mode in Mode],
            values_display={mode.value: name for mode, name in _MODES.items()},
            title="What to do",
            description_md=(
                "**Invite** is the ordinary run. **Dry run**: decides about every row, nothing is sent."
                " **Baseline**: before the first run, adopts what m3ter has already. **Full**: reads all of m3ter"
                " and the query from 1970 on, and a person approves before it sends; max_age_days still holds for rows"
                " with a start date. **Retry**: also invites people whom m3ter refused; with one employee, also if the"
                " invitation has expired."
            ),
        ),
        "only_employee": Param(
            None,
            type=["null", "string"],
            maxLength=LONGEST_EMPLOYEE_ID,
            title="Only this employee",
            description_md=(
                "The employee_id, as in the warehouse. The log of the task plan then explains step by step what is"
                " decided and why. Many can see this form's values: never an address. Empty: everybody."
            ),
        ),
        "interval_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_INSTANT,
            section=_DAYS,
            title="From",
            description_md=(
                "Empty: in a run by hand, all up to now that is not caught up; in others the days of the schedule."
                " In JSON with a time zone, such as 2026-11-10T00:00:00Z."
            ),
        ),
        "interval_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=_INSTANT,
            section=_DAYS,
            title="To (not included)",
            description_md="Both, or none.",
        ),
        "max_invitations": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            section=_LIMITS,
            title="At most this many invitations",
            description_md=(
                "If the plan has more, nothing at all is sent. In a backfill it counts for all of its runs together."
                " Empty: as configured; more than that needs a person's approval."
            ),
        ),
        "only_plan": Param(
            None,
            type=["null", "string"],
            pattern=f"^$|{FINGERPRINT_PATTERN}",
            section=_LIMITS,
            title="Only exactly this plan",
            description_md=(
                "The fingerprint of a plan that you looked at. If the new plan would send anything else, nothing is"
                " sent. The page's button Send exactly this fills it in."
            ),
        ),
        "allow_backfill_send": Param(
            defaults.allow_backfill_send,
            type="boolean",
            section=_LIMITS,
            title="A backfill may send",
            description_md="Without it a backfill plans only. It means nothing for other runs.",
        ),
    }


def status_parameters() -> dict[str, Param]:
    """Return the parameters of a run of the status DAG, as the trigger dialogue shows them."""
    return {
        "everything": Param(
            False,
            type="boolean",
            title="Read everything",
            description_md="Reads both of m3ter's lists to their end, not only what is open and new.",
        ),
        "erase_employee": Param(
            None,
            type=["null", "string"],
            maxLength=LONGEST_EMPLOYEE_ID,
            section=_ERASURE,
            title="Erase the data of this employee",
            description_md=(
                "The employee_id, as in the warehouse. It cannot be undone, and they are never invited again. Many can"
                " see this form's values, and Airflow keeps them with the run: never an address."
            ),
        ),
        "erase_before": Param(
            None,
            type=["null", "string"],
            format="date",
            section=_ERASURE,
            title="Erase everything older than",
            description_md="A day, in UTC. It cannot be undone.",
        ),
        "erase_still_in_m3ter": Param(
            False,
            type="boolean",
            section=_ERASURE,
            title="Also people who are still in m3ter",
            description_md="Without it these are not erased: delete them in m3ter first.",
        ),
    }


def access_parameters() -> dict[str, Param]:
    """Return the parameters of a run of the access review, as the trigger dialogue shows them."""
    return {
        "accept_shrunken_read": Param(
            False,
            type="boolean",
            title="Accept a read that has shrunk",
            description_md=(
                "Many people left, or the query was changed, and that is right: the review then takes this read for"
                " true, and compares the next one with it. An empty read is never accepted."
            ),
        ),
    }
