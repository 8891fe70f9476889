"""Interruptions of one step of a run, faults of m3ter, and changes of people: drawn by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

EMPLOYEES = tuple(f"e{number}" for number in range(1, 11))


POLICIES = ("Viewer", "Analyst")


POST, INVITATIONS, USERS = "CreateOrgUserInvitation", "ListOrgUserInvitations", "ListOrgUsers"


#: How long m3ter may take to do what it left without an answer, in real seconds.
LATE = 0.03


@dataclass(frozen=True)
class Uninterrupted:
    """Nothing goes wrong."""


@dataclass(frozen=True)
class PowerCut:
    """The process dies when it begins its n-th transaction from now, counted from 0."""

    transaction: int


@dataclass(frozen=True)
class Killed:
    """The sender dies at its n-th check whether to stop, which it makes before every POST; POSTs under way arrive."""

    question: int


@dataclass(frozen=True)
class Stopped:
    """The sender is asked to stop there."""

    question: int


@dataclass(frozen=True)
class Frozen:
    """The sender is frozen there, and is resumed after something else happened."""

    question: int
    meanwhile: tuple[str, ...]


@dataclass(frozen=True)
class Paused:
    """The pause switch is set, or cannot be read any more, when it was read so many times.

    :param says: its value then; None: Airflow does not answer.
    """

    asked: int
    says: str | None


Interruption = Uninterrupted | PowerCut | Killed | Stopped | Frozen | Paused


MEANWHILE = ("a minute passes", "an hour passes", "settle", "another run", "the same plan", "plan again", "snapshot")


#: One of the people who are there at that moment.
people = st.integers(0, len(EMPLOYEES) - 1)


questions = st.integers(1, 14)


interruptions = st.one_of(
    st.just(Uninterrupted()),
    st.builds(PowerCut, st.integers(0, 40)),
    st.builds(Killed, questions),
    st.builds(Stopped, questions),
    st.builds(Paused, st.sampled_from([0, 0, 1, 2]), st.sampled_from(["all", "test", None])),
    st.builds(Frozen, questions, st.lists(st.sampled_from(MEANWHILE), min_size=1, max_size=4).map(tuple)),
)


FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 504, "when": "after", "operation": POST},
    {"kind": "status", "status": 504, "when": "before", "operation": POST},
    {"kind": "status", "status": 500, "when": "before", "operation": POST},
    {"kind": "reset", "when": "after", "operation": POST},
    {"kind": "reset", "when": "before", "operation": POST},
    {"kind": "drop", "when": "after", "operation": POST},
    {"kind": "truncated", "operation": POST},
    {"kind": "garbled", "garble": "html", "operation": POST},
    {"kind": "garbled", "garble": "missing_id", "operation": POST},
    {"kind": "late_commit", "seconds": LATE, "answer": "504", "operation": POST},
    {"kind": "late_commit", "seconds": LATE, "answer": "reset", "operation": POST},
    {"kind": "hang", "when": "after", "operation": POST},
    {"kind": "hang", "when": "before", "operation": POST},
    {"kind": "status", "status": 400, "when": "before", "operation": POST},
    {"kind": "status", "status": 409, "when": "before", "operation": POST},
    {"kind": "status", "status": 400, "when": "after", "operation": POST},
    {"kind": "status", "status": 429, "when": "before", "operation": POST},
    {"kind": "status", "status": 403, "when": "before", "operation": POST},
    {"kind": "revoke_token", "operation": POST},
    {"kind": "status", "status": 503, "operation": INVITATIONS},
    {"kind": "status", "status": 503, "operation": USERS},
    {"kind": "reset", "operation": INVITATIONS},
)


#: Statuses of a POST that are final for its content.
REFUSING = (400, 409)


faults = st.none() | st.fixed_dictionaries(
    {
        "of": st.integers(0, len(FAULTS) - 1),
        "person": st.none() | people,
        "skip": st.sampled_from([0, 0, 0, 1, 2]),
        "count": st.sampled_from([1, 2, 50]),
    }
)


changes = st.one_of(
    st.tuples(st.just("email"), st.sampled_from([0, 1, 1, 2, 3])),
    st.tuples(st.just("first_name"), st.sampled_from(["Ada", "Bo"])),
    st.tuples(st.just("permission_policies"), st.sampled_from([None, *POLICIES, "No such"])),
)


newcomers = st.integers(1, 3)
