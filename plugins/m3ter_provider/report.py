"""What a successful test of a connection says."""

from __future__ import annotations

from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.models import Me


def connection_report(settings: ConnectionSettings, me: Me) -> str:
    """
    Return one sentence or two for the person who pressed "Test".

    :param settings: the connection.
    :param me: who m3ter says we are.
    """
    organisation = (me.organization and me.organization.name) or settings.org_id
    name = (me.service_user and me.service_user.name) or "the service user"
    if not settings.allow_invitations:
        sending = "It may not send invitations (allow_invitations is off)."
    else:
        where = ", ".join(settings.allowed_domains) or "any domain"
        sending = (
            f"It may send invitations to {where}; whether m3ter lets the service user create them shows only when "
            "one is sent."
        )
    return f"Connected to organisation {organisation} as {name}, and its invitations can be read. {sending}"
