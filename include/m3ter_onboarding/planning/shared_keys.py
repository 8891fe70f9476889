"""Which rows of a plan may have to do with each other: those that share an address or an employee, however spelled.

All others can be decided about without knowing the rest, so that a plan need not be in memory. Of every row two numbers
of eight bytes are kept. Numbers that are equal by chance cost nothing but a look at both rows together.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from mmap import mmap

from m3ter_onboarding.planning.employee_spellings import spelling_key
from m3ter_onboarding.source.new_hire import ValidatedRow
from m3ter_provider.email_identity import alias_key

#: Bits in which keys are marked as seen: 8 MiB for each of the two marks, while rows are read.
_BITS = 26
_NO_KEY = 0


class SharedKeys:
    """The keys of rows, by the order in which the rows were noted.

    Equal addresses have the same alias, and equal ids the same spelling: one number stands for both.

    :param bits: so many binary digits of a key say where it is marked; fewer make more keys be counted.
    """

    def __init__(self, bits: int = _BITS) -> None:
        self._places = (1 << bits) - 1
        # Maps of memory begin as zeros that nobody writes: a plan of ten people touches a few pages, not 16 MiB.
        self._once, self._twice = mmap(-1, 1 << max(bits - 3, 0)), mmap(-1, 1 << max(bits - 3, 0))
        self._keys = array("q")
        self._shared = frozenset[int]()

    def __len__(self) -> int:
        """Return how many rows were noted."""
        return len(self._keys) // 2

    def note(self, rows: Iterable[ValidatedRow]) -> None:
        """Note further rows."""
        once, twice, keys = self._once, self._twice, self._keys
        for row in rows:
            for key in _keys_of(row):
                keys.append(key)
                if key != _NO_KEY:
                    byte, bit = divmod(key & self._places, 8)
                    mark = 1 << bit
                    if once[byte] & mark:
                        twice[byte] |= mark
                    else:
                        once[byte] |= mark

    def compare(self) -> None:
        """Find the keys that several rows have, once all were noted."""
        twice, places = self._twice, self._places
        marked = (key for key in self._keys if key != _NO_KEY and twice[(key & places) >> 3] & 1 << (key & places & 7))
        self._shared = frozenset(key for key, rows in Counter(marked).items() if rows > 1)
        self._once.close()
        self._twice.close()

    def has(self, number: int) -> bool:
        """Return whether a row shares a key with another one.

        :param number: how many rows were noted before it.
        """
        shared, keys = self._shared, self._keys
        return bool(shared) and (keys[2 * number] in shared or keys[2 * number + 1] in shared)


def _keys_of(row: ValidatedRow) -> tuple[int, int]:
    address, employee = row.email_key, row.employee_id
    return (
        hash(("address", alias_key(address))) if address else _NO_KEY,
        hash(("employee", spelling_key(employee))) if employee else _NO_KEY,
    )
