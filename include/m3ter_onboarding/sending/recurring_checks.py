"""The checks that a sender repeats while it sends: the pause switch, and m3ter's lists (docs/delivery.md, 9 and 14)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from m3ter_onboarding.errors import DeliveryError, LedgerError
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.mirroring.m3ter_lists import look_again
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.pause_switch import PauseSwitch
from m3ter_provider.errors import M3terError

#: Seconds between two readings of m3ter's newest invitations and users while sending; with the time that the reading
#: takes, less than a minute.
LOOK_EVERY = 45.0
#: Seconds between two questions to the pause switch.
ASK_PAUSE_EVERY = 1.0


class RecurringChecks:
    """Asks the pause switch, and looks in m3ter, when it is time; no answer closes the gate.

    :param org: the organisation in m3ter and its mirror.
    :param pause: the pause switch.
    :param gate: closed by a pause or a failure; nothing is checked any more once it is closed.
    :param clock: seconds.
    """

    def __init__(self, org: MirroredOrganisation, pause: PauseSwitch, gate: Gate, clock: Callable[[], float]) -> None:
        self._org = org
        self._pause = pause
        self.gate = gate
        self._clock = clock
        self._looked_at = 0.0
        self._asked_at = -math.inf

    async def look_before_sending(self) -> Sequence[M3terPolicy]:
        """Look in m3ter before the first e-mail, and return its permission policies.

        They are m3ter's answer. The mirror's copy of them could be changed by anybody who may write to the ledger.

        :raises M3terError: when m3ter cannot be read.
        """
        looked = await look_again(self._org, policies=True)
        self._looked_at = self._clock()
        return looked.policies

    async def check_what_is_due(self) -> None:
        """Ask the pause switch, and look again in m3ter, each when it is time."""
        if not self.gate.is_open:
            return
        if self._clock() - self._asked_at >= ASK_PAUSE_EVERY:
            reason = await self._pause.reason()
            self._asked_at = self._clock()
            if reason is not None:
                self.gate.stop.request(f"sending is paused: {reason}")
                return
        if self._clock() - self._looked_at >= LOOK_EVERY:
            await self.look()

    async def look(self) -> None:
        """Look again in m3ter; a look that fails closes the gate."""
        try:
            await self.look_unless_stopped()
        except (M3terError, LedgerError) as error:
            self.gate.close(DeliveryError(f"Looking again in m3ter failed, so sending stops: {error}"))
        self._looked_at = self._clock()

    async def look_unless_stopped(self) -> bool:
        """Look again in m3ter; False: a stop was requested meanwhile, and the look was given up for it.

        :raises M3terError: when m3ter cannot be read.
        """
        looking = asyncio.create_task(look_again(self._org))
        stopping = asyncio.create_task(self.gate.stop.wait(math.inf))
        try:
            await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                await looking
                return True
            return False
        finally:
            for task in (looking, stopping):
                task.cancel()
            await asyncio.gather(looking, stopping, return_exceptions=True)
