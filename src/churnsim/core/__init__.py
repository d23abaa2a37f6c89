"""Keyed draws, columns, tables, money, clock: what every other package stands on."""
