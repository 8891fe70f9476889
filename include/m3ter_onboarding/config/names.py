"""Names in Airflow: of a configuration and its DAG, and of the pause variable."""

from __future__ import annotations

#: The characters of a configuration's name; with the prefix it is the id of its DAG.
NAME_PATTERN = r"^[A-Za-z0-9_-]+$"
LONGEST_NAME = 100
#: The id of an onboarding DAG begins with this.
DAG_ID_PREFIX = "m3ter_onboarding__"
#: The id of a DAG that follows invitations begins with this.
STATUS_DAG_ID_PREFIX = "m3ter_invitation_status__"
#: The id of a DAG that reviews access begins with this.
ACCESS_DAG_ID_PREFIX = "m3ter_access_review__"
#: The id of a DAG that lists who starts soon begins with this.
DAY_ONE_DAG_ID_PREFIX = "m3ter_day_one__"

PAUSE_VARIABLE = "m3ter_onboarding_paused"
#: Words by which the pause variable pauses nobody, and everybody: whatever else people write for yes is yes.
NOBODY = frozenset({"", "false", "none", "null", "no", "off", "0", "disabled"})
EVERYBODY = frozenset(
    {
        *("all", "*", "any", "every", "everybody", "everyone", "everything"),
        *("true", "t", "yes", "y", "on", "1", "enable", "enabled", "active"),
        *("pause", "paused", "pausing", "stop", "stopped", "halt", "halted", "hold", "suspend", "suspended"),
        *("freeze", "frozen"),
    }
)


def dag_id_of(name: str) -> str:
    """Return the id of the DAG of a configuration.

    :param name: the configuration's.
    """
    return DAG_ID_PREFIX + name


def status_dag_id_of(name: str) -> str:
    """Return the id of the DAG that follows the invitations of a configuration.

    :param name: the configuration's.
    """
    return STATUS_DAG_ID_PREFIX + name


def access_dag_id_of(name: str) -> str:
    """Return the id of the DAG that reviews access for a configuration.

    :param name: the configuration's.
    """
    return ACCESS_DAG_ID_PREFIX + name


def day_one_dag_id_of(name: str) -> str:
    """Return the id of the DAG that lists who starts soon, of a configuration.

    :param name: the configuration's.
    """
    return DAY_ONE_DAG_ID_PREFIX + name


def is_reserved(name: str) -> bool:
    """Return whether a word means everybody or nobody in the pause variable, so that no configuration may be named so.

    :param name: in any case.
    """
    return name.casefold() in NOBODY | EVERYBODY
