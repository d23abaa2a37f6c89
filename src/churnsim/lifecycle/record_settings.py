"""Settings of what a simulation leaves behind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from churnsim.config.base import Settings, Share

GROUPS = ("customer_type", "region", "locality", "payment", "usage_scenario", "acquisition_channel", "building_access")


class Snapshot(Settings):
    """A table to learn from: features when a month starts, and what came of the subscribers after it."""

    month: Annotated[int, Field(strict=True, ge=1, le=600)]
    """Calendar month at whose start features are taken, of those on the network then."""
    outcome_months: Annotated[int, Field(strict=True, ge=1, le=120)]
    """Months after it that count for the outcome."""


class RecordSettings(Settings):
    """What a simulation leaves behind beside its monthly summaries."""

    by: tuple[str, ...]
    """Columns that summaries are grouped by: those that hold codes and never change (customer_type, region,
    locality, payment, usage_scenario, acquisition_channel, building_access)."""
    end_state: bool
    """Write every subscriber's columns when the simulation ends."""
    columns: tuple[str, ...] | None = None
    """Which columns of the end state are written, beside the ids; a history as a whole (usage_gb) or by month
    (usage_gb_lag1); all if absent."""
    events: bool
    """Write a log of joining and coming back, complaints, cheaper plans and brands, replaced lines, requests for a
    porting code, contacts, acceptances, decisions to leave and leaving."""
    panel_share: Share
    """Share of subscribers whose every month is written; the same ones in every run of a seed."""
    latent: bool
    """Write what only the simulator knows of end state and panel too, in files of its own."""
    snapshot: Snapshot | None = None
    """Write features and outcomes of one decision month; nothing if absent."""
