"""Ledger, truth and intervals."""
