"""Who should have got an e-mail, by the labels of the people alone, and whether the mailbox says the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from demo.people import Person


@dataclass(frozen=True)
class Expectation:
    """The e-mails that are right.

    :param one_each: addresses that get exactly one e-mail, case-folded
    :param one_of: groups of addresses that get exactly one e-mail together
    :param known: every address that appears in the warehouse
    """

    one_each: frozenset[str]
    one_of: tuple[frozenset[str], ...]
    known: frozenset[str]

    @property
    def emails(self) -> int:
        """How many e-mails that makes."""
        return len(self.one_each) + len(self.one_of)


def expect(people: Iterable[Person]) -> Expectation:
    """Derive the right e-mails from the labels.

    :param people: everybody who was ever loaded
    """
    single: set[str] = set()
    rivals: defaultdict[str, set[str]] = defaultdict(set)
    known: set[str] = set()
    for person in people:
        if person.mailbox is None:
            continue
        known.add(person.mailbox)
        if not person.label.startswith("invite:"):
            continue
        if person.either_of is None:
            single.add(person.mailbox)
        else:
            rivals[person.either_of].add(person.mailbox)
    groups = tuple(frozenset(group) for group in rivals.values())
    return Expectation(frozenset(single), groups, frozenset(known))


def compare(expectation: Expectation, emails: Mapping[str, int]) -> list[str]:
    """Compare m3ter's mailbox with the expectation and name each kind of difference.

    :param expectation: see :func:`expect`
    :param emails: number of e-mails by case-folded address, as m3ter counted them
    """
    rivals = frozenset().union(*expectation.one_of)
    forgotten = [address for address in expectation.one_each if not emails.get(address)]
    forgotten += [min(group) for group in expectation.one_of if not sum(emails.get(each, 0) for each in group)]
    doubled = [address for address in expectation.one_each if emails.get(address, 0) > 1]
    doubled += [min(group) for group in expectation.one_of if sum(emails.get(each, 0) for each in group) > 1]
    wrong = [address for address in emails if address not in expectation.one_each | rivals]
    problems = {
        "got no e-mail and should have": forgotten,
        "got more than one e-mail": doubled,
        "got an e-mail and should not have": wrong,
    }
    return [
        f"{len(found)} {what}, for example {', '.join(sorted(found)[:3])}" for what, found in problems.items() if found
    ]
