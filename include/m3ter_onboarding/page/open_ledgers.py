"""The ledgers that this API server has open: one small pool each, asked again only after a while where one is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.database import LedgerDatabase, open_ledger
from m3ter_onboarding.ledger.reads.reader import PATIENCE_SECONDS, LedgerReader
from m3ter_onboarding.page.onboarding_dags import LedgerPlace

#: A ledger that could not be reached is not asked again for so long; a connection of Airflow is read again after.
AWAY_SECONDS, KEPT_SECONDS = 5.0, 300.0


class Ledgers:
    """All open ledgers of this process.

    :param open_: opens one; *clock* counts seconds.
    """

    def __init__(
        self,
        open_: Callable[[str, str | None], LedgerDatabase] = open_ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._clock = open_, clock
        self._lock = Lock()
        self._readers: dict[LedgerPlace, tuple[LedgerReader, float]] = {}
        self._away: dict[LedgerPlace, tuple[LedgerError, float]] = {}

    def of(self, place: LedgerPlace) -> LedgerReader:
        """Return a ledger that can be read.

        :raises LedgerError: a sentence why not; for a while without trying again.
        """
        with self._lock:
            error, until = self._away.get(place, (None, 0.0))
            if error is not None and self._clock() < until:
                raise type(error)(str(error))
            self._away.pop(place, None)
        try:
            reader = self._reader(place)
            reader.check()
            return reader
        except LedgerError as error:
            with self._lock:
                self._away[place] = (error, self._clock() + AWAY_SECONDS)
            raise

    def _reader(self, place: LedgerPlace) -> LedgerReader:
        with self._lock:
            reader, until = self._readers.get(place, (None, 0.0))
            if reader is not None and self._clock() < until:
                return reader
            db = self._open(place.conn_id, place.schema)
            if reader is not None:
                reader.db.close()  # the connection may have been changed meanwhile
            patient = LedgerDatabase(
                db.engine, schema=place.schema, name=place.conn_id, write_patience=PATIENCE_SECONDS
            )
            fresh = LedgerReader(patient)
            self._readers[place] = (fresh, self._clock() + KEPT_SECONDS)
            return fresh
