"""Operators for m3ter."""
