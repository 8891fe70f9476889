"""Figures of this project against its peers, taken in one run on one machine: ``python -m benchmarks``."""
