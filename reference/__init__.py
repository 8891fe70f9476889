"""What the pages of ``docs/`` take from the source: ``python -m reference`` writes it, ``--check`` compares."""
