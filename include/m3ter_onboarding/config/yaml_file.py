"""The YAML file of one organisation and the queries beside it, read before Airflow sees a DAG.

Loading opens these files, and those that the YAML extends, and nothing else: no network, no database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.shared_defaults import read_text, read_values


def load_config(path: str | Path) -> OnboardingConfig:
    """Load one organisation's YAML file, the files that it extends, and its queries.

    :param path: the YAML file; paths of queries in it are relative to its folder.
    :raises ConfigurationError: naming the file, the key and its value, and the way to write it.
    """
    path = Path(path)
    read = read_values(path)
    values = read.values
    exclude, review = values.get("exclude"), values.get("access_review")
    return OnboardingConfig.from_mapping(
        values,
        query_text=_query(path, "query", values.get("query")),
        exclusions_text=_query(path, "exclude.query", exclude.get("query") if isinstance(exclude, dict) else None),
        job_query_text=_query(path, "access_review.query", review.get("query") if isinstance(review, dict) else None),
        path=path,
        shared=read.files,
    )


def _query(path: Path, key: str, value: Any) -> str:
    """Return the SQL of the file that a key names; empty where it names none."""
    if not isinstance(value, str) or not value.strip():
        return ""
    query_path = path.parent / value.strip()
    return read_text(query_path, f"{path}, key '{key}': the SQL file {query_path}")
