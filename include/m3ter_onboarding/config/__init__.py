"""The YAML of one organisation and the parameters of one run, checked before anything happens.

Read ``organisation`` (every key), ``yaml_file`` (how a file becomes it), then ``run_parameters`` and ``trigger_form``.
The rest are parts of these: sections of the YAML, the text of the query, durations, names, the wording of problems.
"""
