"""Queueing theory of the contact centre: first guesses of staffing, and truths the engines are tested against."""
