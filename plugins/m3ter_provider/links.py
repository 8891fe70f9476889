"""Links from Airflow's pages to m3ter's own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

from m3ter_provider.connection import DEFAULT_HOST
from m3ter_provider.errors import M3terError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

CONSOLE = "https://console.m3ter.com"


class M3terConsoleLink(BaseOperatorLink):
    """The m3ter Console, where the organisation's people stand under *Settings*, *Access*.

    The console opens the organisation of the person who logs in, or asks which one; the addresses of its pages are not
    documented, so the link goes to its start. Another API than m3ter's own (a stage, the sandbox) has none.

    The task computes it and leaves it in XCom, where Airflow's pages find it: they need no connection to m3ter.
    """

    name = "m3ter Console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the console's address, "" where there is none.

        :param operator: one with a ``hook``.
        """
        try:
            base_url = operator.hook.settings.base_url  # type: ignore[attr-defined]
        except M3terError:
            return ""  # the task's own error says what is wrong with its connection
        return CONSOLE if urlsplit(base_url).hostname == urlsplit(DEFAULT_HOST).hostname else ""
