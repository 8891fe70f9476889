"""The spans of the DAGs: a pass over an organisation each, with counts and nobody's data (docs/monitoring.md)."""

from __future__ import annotations

from m3ter_provider.spans import SpanName

MIRROR = SpanName(
    "m3ter_onboarding.mirror",
    (
        *("organisation", "invitations", "users", "policies", "adopted", "accepted", "expired", "settled", "open"),
        "error.type",
    ),
    "`snapshot` reads m3ter's lists, and settles what was left open.",
)
PLAN = SpanName(
    "m3ter_onboarding.plan",
    ("organisation", "rows", "count", "error.type"),
    "`plan` reads the query, decides about each row, and seals the plan; `count` is of invitations.",
)
SEND = SpanName(
    "m3ter_onboarding.send",
    ("organisation", "sent", "failed", "unsent", "without_answer", "error.type"),
    "`send` sends a plan, and waits for what is open.",
)
PUBLISH = SpanName(
    "m3ter_onboarding.publish", ("organisation", "error.type"), "`report` copies the results into the warehouse."
)
FOLLOW = SpanName(
    "m3ter_onboarding.follow",
    ("organisation", "invitations", "users", "adopted", "accepted", "expired", "error.type"),
    "`follow` reads what became of invitations.",
)

OF_THE_DAGS = (MIRROR, PLAN, SEND, PUBLISH, FOLLOW)
