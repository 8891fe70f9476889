"""The assets that tasks update, by which other DAGs may be scheduled: their events hold counts and nobody's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow.sdk import Asset, AssetAlias

from m3ter_onboarding.config.names import dag_id_of, day_one_dag_id_of

if TYPE_CHECKING:
    from airflow.sdk import Context

_SCHEME = "m3ter-onboarding"


def invited_asset(name: str) -> Asset:
    """Return the asset that is updated when invitations were sent.

    :param name: the configuration's.
    """
    return Asset(name=f"{dag_id_of(name)}__invited", uri=f"{_SCHEME}://invited/{name}")


def accepted_asset(name: str) -> Asset:
    """Return the asset that is updated when it is seen that people have accepted, or joined another way.

    :param name: the configuration's.
    """
    return Asset(name=f"{dag_id_of(name)}__accepted", uri=f"{_SCHEME}://accepted/{name}")


def day_one_asset(name: str) -> Asset:
    """Return the asset that is updated whenever the list of those who start soon was made.

    :param name: the configuration's.
    """
    return Asset(name=day_one_dag_id_of(name), uri=f"{_SCHEME}://day-one/{name}")


def if_any(asset: Asset) -> AssetAlias:
    """Return the outlet of a task that updates an asset only when it says so; else each success would."""
    return AssetAlias(name=f"{asset.name}__if_any")


def update_if_any(context: Context, asset: Asset, counts: Mapping[str, int]) -> None:
    """Update an asset where there was something to count.

    :param counts: for the event.
    """
    events = context.get("outlet_events")
    if events is not None and any(counts.values()):
        events[if_any(asset)].add(asset, extra=dict(counts))
