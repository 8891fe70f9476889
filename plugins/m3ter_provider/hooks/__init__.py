"""Hooks for m3ter."""
