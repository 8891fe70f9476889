# Airflow with this project installed as a package. Build: docker build -t m3ter-onboarding .
#
# Both base images can be given by digest: `make image-pins` prints them, and docs/deploy.md says when to renew them.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY constraints-build.txt pyproject.toml README.md LICENSE ./
COPY plugins plugins
COPY include include
RUN pip install --no-cache-dir --require-hashes -r constraints-build.txt \
 && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .

FROM ${AIRFLOW_IMAGE}
ARG AIRFLOW_IMAGE
LABEL org.opencontainers.image.title="m3ter onboarding for Airflow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${AIRFLOW_IMAGE}"

# As the image's own user, beside the image's own Airflow. Every package is of the version and the hash that
# constraints-image.txt has; it names the image's version of Airflow, so that pip does not replace it.
USER airflow
COPY constraints-image.txt /tmp/constraints-image.txt
COPY --from=wheel /dist/*.whl /tmp/dist/
RUN grep -q "^apache-airflow==${AIRFLOW_VERSION} " /tmp/constraints-image.txt \
 && pip install --no-cache-dir --require-hashes -r /tmp/constraints-image.txt \
 && pip install --no-cache-dir --no-index --no-deps /tmp/dist/*.whl \
 && python -c "import m3ter_onboarding, m3ter_provider, m3ter_sandbox"

# One DAG file, YAML and query for each organisation. Nothing from plugins/: it is installed.
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 include/config /opt/airflow/include/config
COPY --chown=airflow:0 include/sql /opt/airflow/include/sql
ENV AIRFLOW__CORE__LOAD_EXAMPLES=False
