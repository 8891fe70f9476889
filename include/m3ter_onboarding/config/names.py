"""Names in Airflow: DAG ids, the pause variable, and the words that no configuration may be named."""

from __future__ import annotations

PAUSE_VARIABLE = "m3ter_onboarding_paused"
_NOBODY = frozenset({"", "false", "none", "null", "no", "off", "0"})
_EVERYBODY = frozenset({"all", "true", "yes", "on", "1", "*", "paused", "pause", "stop"})
#: Words that say something else than a name, so that no configuration may be named so.
RESERVED_WORDS = _NOBODY | _EVERYBODY
