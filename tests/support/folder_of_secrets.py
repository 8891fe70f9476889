"""A secrets backend such as a deployment may have: one file a connection, JSON or URI."""

from __future__ import annotations

from pathlib import Path

from airflow.secrets import BaseSecretsBackend


class FolderOfSecrets(BaseSecretsBackend):
    """A folder in which connections are looked up.

    :param folder: its files are named like the connections' ids.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = Path(folder)

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return the text of a connection's file."""
        file = self._folder / conn_id
        return file.read_text() if file.is_file() else None
