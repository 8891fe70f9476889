"""Triggers for m3ter."""
