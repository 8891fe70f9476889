"""Rows of the warehouse become new hires.

A row passes ``warehouse`` (the query is run), ``columns`` (the contract is checked), ``driver_values`` (what a driver
returns becomes text, dates and lists) and ``new_hire`` (a hire that can be invited, or the reason why not).
"""
