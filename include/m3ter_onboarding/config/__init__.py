"""What the YAML of one organisation and the parameters of one run say, checked before anything happens.

Read ``organisation`` (every key), ``yaml_file`` (how a file becomes it), then ``run_parameters``. The rest are parts of
these: sections of the YAML, the text of the query, durations, and how a problem is worded.
"""
