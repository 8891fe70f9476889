"""The reusable m3ter provider for Apache Airflow: hooks and operators; knows nothing of HR or ledgers."""

from __future__ import annotations

__version__ = "0.1.0"
