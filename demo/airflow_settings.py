"""The airflow.cfg of one Airflow: complete before its first component starts, good for `airflow` commands by hand."""

from __future__ import annotations

import base64
import configparser
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.ports import HOST, free_port

USERS = {"admin": "admin", "viewer": "viewer"}
"""Users, each with the role and the password of the same name: the server is reachable from this machine only."""


@dataclass(frozen=True)
class AirflowSettings:
    """What the settings depend on.

    :param home: AIRFLOW_HOME
    :param dags_folder: where DAG files are
    :param url: base URL of the API server, with its port
    :param metadata_url: SQLAlchemy URL of the metadata database
    :param parallelism: tasks at once
    :param fast_heartbeats: notice lost task processes after 20 s instead of 5 min
    :param further: more settings, which win: section → option → value
    """

    home: Path
    dags_folder: Path
    url: str
    metadata_url: str
    parallelism: int
    fast_heartbeats: bool
    further: Mapping[str, Mapping[str, object]]

    def write(self) -> None:
        """Write ``airflow.cfg`` and the users' passwords into the home, keeping the keys of an earlier start."""
        path = self.home / "airflow.cfg"
        old = configparser.ConfigParser(interpolation=None)
        old.read(path)
        self._passwords.write_text(json.dumps(USERS))
        new = configparser.ConfigParser(interpolation=None)
        new.read_dict(
            {
                section: {option: str(value).replace("%", "%%") for option, value in options.items()}
                for section, options in self._settings(old).items()
            }
        )
        path.touch(mode=0o600)
        with path.open("w") as file:
            new.write(file)

    @property
    def _passwords(self) -> Path:
        return self.home / "users.json"

    def _settings(self, old: configparser.ConfigParser) -> dict[str, dict[str, object]]:
        fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        settings: dict[str, dict[str, object]] = {
            "core": {
                "load_examples": False,
                "executor": "LocalExecutor",
                "parallelism": self.parallelism,
                "dags_folder": self.dags_folder,
                "plugins_folder": self.home / "plugins",
                "fernet_key": old.get("core", "fernet_key", fallback=fernet_key),
                "execution_api_server_url": f"{self.url}/execution/",
                "simple_auth_manager_users": ",".join(f"{name}:{name}" for name in USERS),
                "simple_auth_manager_passwords_file": self._passwords,
            },
            "database": {"sql_alchemy_conn": self.metadata_url},
            "api": {
                "host": HOST,
                "port": self.url.rpartition(":")[2],
                "base_url": self.url,
                "secret_key": old.get("api", "secret_key", fallback=secrets.token_hex(32)),
            },
            "api_auth": {"jwt_secret": old.get("api_auth", "jwt_secret", fallback=secrets.token_hex(32))},
            "scheduler": {"scheduler_idle_sleep_time": 0.5},
            "dag_processor": {"refresh_interval": 5, "min_file_process_interval": 10},
            # Not started, and not on their fixed ports if someone does: they listen on all addresses.
            "logging": {"worker_log_server_port": free_port(), "trigger_log_server_port": free_port()},
            "usage_data_collection": {"enabled": False},
        }
        if self.fast_heartbeats:
            settings["scheduler"] |= {
                "task_instance_heartbeat_timeout": 20,
                "task_instance_heartbeat_timeout_detection_interval": 5,
            }
            settings["workers"] = {"min_heartbeat_interval": 2}
        for section, options in self.further.items():
            settings.setdefault(section, {}).update(options)
        return settings
