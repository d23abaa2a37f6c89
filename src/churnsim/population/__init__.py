"""Subscribers: generated from a preset or imported from an operator's table."""
