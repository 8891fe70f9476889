"""New hires of the demo's finance department into its local m3ter, by Airflow (`make ui` alone): each plan is approved.

It is no example to copy; dags/ has one.
"""

from __future__ import annotations

from m3ter_onboarding import onboarding_dag

dag = onboarding_dag("demo_finance.yaml")
