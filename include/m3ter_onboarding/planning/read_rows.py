"""The rows of a run's query, read and validated once each, and kept on the worker's disk until they are decided."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import count
from types import TracebackType

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.databases.spool import Spool
from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.planning.shared_keys import SharedKeys
from m3ter_onboarding.privacy import mask_employee_id
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.new_hire import ValidatedRow, select_employee, validate_rows
from m3ter_onboarding.source.routing import Routing
from m3ter_onboarding.source.warehouse import read_new_hires
from m3ter_onboarding.source.window import Window

log = logging.getLogger(__name__)

#: So many rows are in memory at once, beside those that share a key.
AT_ONCE = 5_000


class ReadRows:
    """All rows that a run decides about.

    :param config: whose query is run.
    :param only_employee: the rows of this employee alone; None: everybody's.
    :param now: aware.
    """

    def __init__(self, config: OnboardingConfig, only_employee: str | None, now: datetime) -> None:
        self._config = config
        self._only_employee = only_employee
        self._now = now
        self._spool = Spool[ValidatedRow]()
        self._keys = SharedKeys()

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._keys)

    def __enter__(self) -> ReadRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def read(self, window: Window) -> None:
        """Run the query over a window.

        :raises SourceError: when it cannot be run, or returns fewer rows than the configuration expects.
        """
        config = self._config
        routing = read_new_hires(
            config.warehouse_conn_id,
            config.query_text,
            window,
            self._take,
            extra_columns=config.extra_columns,
            organisation=config.organisation,
        )
        routing.log()
        many = routing.own + routing.unclear
        if many < config.min_expected_rows:
            raise SourceError(
                f"The query returned {many} rows for {window}, and `min_expected_rows` is"
                f" {config.min_expected_rows}; nothing is sent. Look whether the warehouse was loaded."
            )
        if not many + routing.others:
            log.info("The query returned no rows for %s: there is nobody to invite.", window)
        if self._only_employee is not None:
            self._log_selected(self._only_employee, many, window)
        self._keys.compare()

    def parts(self) -> Iterator[list[ValidatedRow]]:
        """Yield all rows: in the last part those that share an address or an employee, so that it may be empty."""
        together, numbers = list[ValidatedRow](), count()
        for part in self._spool:
            alone = list[ValidatedRow]()
            for row in part:
                (together if self._keys.has(next(numbers)) else alone).append(row)
            if alone:
                yield alone
        yield together

    def _take(self, chunks: Iterable[list[SourceRow]]) -> Routing:
        """Validate and keep rows; what an earlier try took is forgotten."""
        self._spool.clear()
        self._keys = SharedKeys()
        routing, waiting = Routing(self._config), list[ValidatedRow]()
        for chunk in chunks:
            own, unclear = routing.route(chunk)
            waiting += self._chosen([*self._validated(own), *unclear])
            while len(waiting) >= AT_ONCE:
                self._keep(waiting[:AT_ONCE])
                waiting = waiting[AT_ONCE:]
        self._keep(waiting)
        return routing

    def _validated(self, rows: Sequence[SourceRow]) -> list[ValidatedRow]:
        config = self._config
        return validate_rows(
            rows,
            default_time_zone=config.time_zone,
            now=self._now,
            extra_columns=config.extra_columns,
            placeholders=config.placeholders,
        )

    def _chosen(self, rows: list[ValidatedRow]) -> list[ValidatedRow]:
        return rows if self._only_employee is None else select_employee(rows, self._only_employee)

    def _keep(self, rows: list[ValidatedRow]) -> None:
        self._keys.note(rows)
        self._spool.append(rows)

    def _log_selected(self, employee: str, many: int, window: Window) -> None:
        log.info("Only employee %s: %d of %d rows selected.", mask_employee_id(employee), len(self), many)
        if not len(self):
            log.warning(
                "No row of %s has this employee_id; nobody is invited. Set interval_start and interval_end to the days"
                " in which the row was loaded.",
                window,
            )
