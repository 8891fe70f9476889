# Airflow with this project installed as a package. Build: docker build -t m3ter-onboarding .
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12

FROM python:3.12-slim AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY plugins plugins
COPY include include
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist .

FROM ${AIRFLOW_IMAGE}
ARG AIRFLOW_IMAGE
LABEL org.opencontainers.image.title="m3ter onboarding for Airflow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${AIRFLOW_IMAGE}"

# As the image's own user, beside the image's own Airflow: naming its version keeps pip from replacing it.
USER airflow
COPY --from=wheel /dist/*.whl /tmp/dist/
RUN wheel="$(echo /tmp/dist/*.whl)" \
 && pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" "${wheel}[sqlite,postgres]" \
 && python -c "import m3ter_onboarding, m3ter_provider, m3ter_sandbox"

# One DAG file, YAML and query for each organisation. Nothing from plugins/: it is installed.
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 include/config /opt/airflow/include/config
COPY --chown=airflow:0 include/sql /opt/airflow/include/sql
ENV AIRFLOW__CORE__LOAD_EXAMPLES=False
