"""The provider as Airflow reads it: connection type ``m3ter`` and its form (metadata only)."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Describe the provider for Airflow's provider manager.

    No field's name contains ``token``, ``secret`` or ``key``: Airflow would mask its default in the form. The API
    secret is the connection's password, the only place that Airflow encrypts and hides.
    """
    return {
        "package-name": "airflow-provider-m3ter",
        "name": "m3ter",
        "description": "Invite people into a `m3ter <https://www.m3ter.com/>`__ organisation.",
        "integrations": [
            {
                "integration-name": "m3ter",
                "external-doc-url": "https://www.m3ter.com/docs/api",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "m3ter", "python-modules": ["m3ter_provider.hooks.m3ter"]}],
        "operators": [{"integration-name": "m3ter", "python-modules": ["m3ter_provider.operators.invitation"]}],
        "sensors": [{"integration-name": "m3ter", "python-modules": ["m3ter_provider.sensors.invitation"]}],
        "triggers": [{"integration-name": "m3ter", "python-modules": ["m3ter_provider.triggers.invitation"]}],
        "extra-links": ["m3ter_provider.links.M3terConsoleLink"],
        "connection-types": [
            {
                "connection-type": "m3ter",
                "hook-class-name": "m3ter_provider.hooks.m3ter.M3terHook",
                "hook-name": "m3ter",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "host": "API base URL",
                        "port": "Port",
                        "login": "Access key id",
                        "password": "API secret",
                    },
                    "placeholders": {
                        "host": "https://api.m3ter.com",
                        # Airflow's "Test" takes a missing port for port 0, thus for another host: apache/airflow#73298.
                        "port": "443; Airflow 3.3.1 and 3.3.2 cannot test a connection without",
                        "login": "access key id of a service user in m3ter",
                        "password": "API secret of that access key; kept encrypted",
                    },
                },
                "conn-fields": {
                    "org_id": {
                        "label": "Organisation id",
                        "description": "The id (a UUID) of the m3ter organisation that people are invited to.",
                        # A type that does not allow null makes the field required in the form.
                        "schema": {"type": "string", "minLength": 1},
                    },
                    "allow_invitations": {
                        "label": "Allow invitations",
                        "description": (
                            "Invitations are e-mails to real people that cannot be recalled. While this is off, "
                            "everything can be read and planned, and nothing is sent."
                        ),
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                    "allowed_domains": {
                        "label": "Allowed domains",
                        "description": (
                            "Only addresses in these domains are invited, for example: example.com, example.org. "
                            "Empty: all addresses."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "requests_per_second": {
                        "label": "Requests per second",
                        "description": (
                            "The most that one process makes, token and list calls included. m3ter allows 50 for "
                            "all clients of an organisation together; leave some to the others."
                        ),
                        "schema": {"type": ["number", "null"], "default": 20, "minimum": 0.1, "maximum": 1000},
                    },
                    "timeout_seconds": {
                        "label": "Time-out (seconds)",
                        "description": "The longest that one request may take, connecting included; 0.1 to 600.",
                        "schema": {"type": ["number", "null"], "default": 30, "minimum": 0.1, "maximum": 600},
                    },
                    "allow_http": {
                        "label": "Allow plain http",
                        "description": (
                            "Send the credentials unencrypted to a host other than this machine. Only for a test "
                            "server in a network that is safe."
                        ),
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                },
            }
        ],
    }
