"""The ``approval:`` section of a configuration: which plans a person must approve, and who may."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from m3ter_onboarding.config.section import Section, TextList


class ApprovalSettings(Section):
    """``approval``: which plans a person must approve before they are sent, and who may.

    Whatever it says, a person must approve new administrators, a run whose parameter lifts ``max_invitations``, mode
    ``full``, and people of a plan that was rejected, until one that invites them is approved.

    :param above: more invitations than this need an approval; the short form is ``approval_above``. None: their number
        alone needs none.
    :param approvers: names or ids of the users of Airflow whose approval counts; empty: any user may approve who may
        answer in Airflow. Airflow reports neither the role nor the team of the user who answered; the DAG's
        ``access_control`` decides which roles may answer.
    :param not_by_who_triggered: whether the approval of the user who started the run does not count.
    :param per: ``day``: what the organisation was sent without an approval in the last 23 hours counts with the plan,
        so that many small runs are not sent without a question (23, since a daily run may begin a little earlier than
        the last one did); ``run``: each run by itself.
    """

    above: Annotated[StrictInt, Field(ge=0)] | None = None
    approvers: TextList = ()
    not_by_who_triggered: StrictBool = False
    per: Literal["run", "day"] = "day"
