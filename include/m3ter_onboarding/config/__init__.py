"""The YAML of one organisation and the parameters of one run, checked before anything happens.

Read ``organisation`` (every key), ``yaml_file`` (how a file becomes it; ``yaml_text`` is how it is written, and
``shared_defaults`` what it extends), then ``run_parameters`` (of the onboarding DAG), ``status_parameters`` (of the
status DAG) and ``trigger_form`` (how Airflow shows them). The rest are parts of these: a ``section`` of the YAML and
each that there is (``access_section``, ``alerts_section``, ``approval_section``, ``dag_section``, ``day_one_section``,
``exclude_section``, ``status_section``), ``allowed_policies`` (which policies may be given), ``query_columns``,
``query_text``, ``sql_syntax`` and ``query_gaps`` (the query's columns and text, how a dialect is read, and where the
query can forget people), ``placeholders`` (words for a missing value), ``shared_query`` (whose rows they are),
``addresses``, ``durations``, ``schedule``, ``names``, and ``problems`` (their wording).
"""
