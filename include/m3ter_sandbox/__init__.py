"""A local m3ter: the same paths, rules, limits and faults, with a mailbox page."""
