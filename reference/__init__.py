"""What the pages of ``docs/`` and the page's script take from the source.

``python -m reference`` writes it, ``--check`` compares.
"""
