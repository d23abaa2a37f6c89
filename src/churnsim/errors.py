"""The exceptions churnsim raises on purpose, and the exit code each one ends a command with."""

from __future__ import annotations


class ChurnsimError(Exception):
    """Base of every error with a message meant for the user."""

    exit_code = 3


class ConfigError(ChurnsimError):
    """An experiment file, a scenario, a preset or a ``--set`` value is wrong; nothing was run."""

    exit_code = 2


class DataError(ChurnsimError):
    """An input table or its mapping is wrong; nothing was run."""

    exit_code = 2


class CapacityError(ChurnsimError):
    """A contact centre or a list of orders cannot be worked as described; nothing was run."""

    exit_code = 2


class ResultsError(ChurnsimError):
    """Results could not be written or read."""

    exit_code = 3


class NotComparable(ChurnsimError):
    """Two results differ in what makes them comparable (experiment, seed, replicates, currency)."""

    exit_code = 4
