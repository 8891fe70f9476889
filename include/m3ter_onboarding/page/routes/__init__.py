"""The page's API, screen by screen; each route reads or writes by ``ledger`` and returns a type of ``answers``."""
