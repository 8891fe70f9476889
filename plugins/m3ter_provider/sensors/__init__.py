"""Sensors for m3ter."""
