"""Rows that wait on the worker's disk, so that a million of them need no more memory than a few thousand.

They lie in a file without a name: nobody else can open it, and it is gone with the process, however that ends.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Spool(Generic[Item]):
    """Parts of a long list, written once and read as often as one likes, in their order."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="m3ter-onboarding-")  # noqa: SIM115 (it is closed with the spool)

    def append(self, part: Sequence[Item]) -> None:
        """Write a part behind those that are there."""
        self._file.seek(0, 2)
        pickle.dump(part, self._file, pickle.HIGHEST_PROTOCOL)

    def clear(self) -> None:
        """Forget all parts."""
        self._file.seek(0)
        self._file.truncate()

    def __iter__(self) -> Iterator[Sequence[Item]]:
        """Yield the parts; nothing may be written meanwhile."""
        self._file.seek(0)
        while True:
            try:
                part: Sequence[Item] = pickle.load(self._file)  # noqa: S301 (no other process can write this file)
            except EOFError:
                return
            yield part

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def __enter__(self) -> Spool[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
