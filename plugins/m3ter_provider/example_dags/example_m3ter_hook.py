"""Read m3ter: the hook alone, for single calls and for many at once. Nothing is sent."""

from __future__ import annotations

# [START howto_hook]
from datetime import datetime, timezone

from airflow.sdk import dag, task

from m3ter_provider.hooks.m3ter import M3terAsyncHook, M3terHook


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, tags=["example", "m3ter"])
def example_m3ter_hook() -> None:
    """Count the organisation's members and its invitations."""

    @task
    def count_members() -> int:
        hook = M3terHook("m3ter_default")
        return sum(1 for user in hook.iter_users())

    @task
    async def count_open_invitations() -> int:
        async with M3terAsyncHook("m3ter_default") as m3ter:
            return len([invitation async for invitation in m3ter.iter_invitations() if not invitation.accepted])

    # Counts and ids may go into XCom, people may not: everybody who may read a DAG run can read them there.
    count_members()
    count_open_invitations()


example_m3ter_hook()
# [END howto_hook]
