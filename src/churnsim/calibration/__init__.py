"""Fit the tunable constants of a preset to an operator's own table."""
