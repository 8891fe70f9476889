"""Types of the values in requests: numbers, texts and instants that every ledger can be asked about."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from m3ter_onboarding.ledger.storable_values import LARGEST_ID, LARGEST_ROW_NO, storable_instant, storable_text

StorableText = Annotated[str, AfterValidator(storable_text)]

StorableInstant = Annotated[AwareDatetime, AfterValidator(storable_instant)]

InvitationId = Annotated[int, Field(ge=0, le=LARGEST_ID)]

RowNo = Annotated[int, Field(ge=0, le=LARGEST_ROW_NO)]
