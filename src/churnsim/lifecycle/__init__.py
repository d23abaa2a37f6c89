"""Months pass: states, drivers, hazards, market and exact twins."""
