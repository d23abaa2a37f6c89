"""Offers: definition, cost, eligibility, acceptance, effect."""
