"""Every row of the query gets one decision, and the plan is sealed.

A hire passes ``window`` (which days are read), ``facts`` and ``address_status`` (what is known of a person),
``planner`` (the decision, by the ``rules``), ``fingerprint`` and ``sealed_plan``. ``reasons`` and ``explanation`` say
it to people.
"""
