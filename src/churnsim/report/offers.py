"""What the offers do, as tables of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pandas as pd

from churnsim.evaluation.catalogue import CAUSE, CONTACT
from churnsim.experiment.offer_effects import OfferEffects
from churnsim.report.contents import Table, records
from churnsim.report.tables import text_table
from churnsim.report.words import counted, number, percent

POINTS = 100.0


def offers_text(found: OfferEffects, *, width: int | None = None) -> str:
    """Return the tables as printed: effects and money by year, then the effect by cause."""
    tables = (effects_table(found.table), money_table(found.table, found.currency), causes_table(found.table))
    blocks = [offers_line(found), *(text_table(table, width=width) for table in tables)]
    return "\n\n".join(blocks)


def offers_line(found: OfferEffects) -> str:
    """Return what was computed in a line."""
    return (f"{found.experiment}: preset {found.preset}, {counted(found.subscribers, 'subscriber')} on the network in "
            f"month {found.month}, seed {found.seed}, replicate {found.replicate}, {counted(found.draws, 'future')}, "
            f"offers made by {found.channel}, amounts in {found.currency}")


def effects_table(table: pd.DataFrame) -> Table:
    """Return the effect on staying of accepting, by year."""
    rows = tuple((name, last["strategy"], number(last["eligible"]), _accept(last),
                  *(_points(year["effect_on_staying"]) for year in years),
                  number(POINTS * last["effect_standard_error"], decimals=2), percent(last["negative_share"]))
                 for name, years, last in _offers(table))
    heads = tuple(f"year {year}" for year in sorted(set(table["year"])))
    return Table("Effect of accepting on the share on the network at the year's end, percentage points, mean of those "
                 "who may have the offer",
                 ("offer", "strategy", "may have it", "accept", *heads, "standard error\nof the last",
                  "harmed, share\nof subscribers"), rows, word_columns=(0, 1))


def money_table(table: pd.DataFrame, currency: str) -> Table:
    """Return cost and value of an acceptance, by year."""
    years = sorted(set(table["year"]))
    rows = tuple((name, number(last["contact_cost_per_acceptor"], decimals=2),
                  number(last["cost_per_acceptor"], decimals=2), percent(each[0]["cost_to_stayers_share"]),
                  *(number(year["net_value_per_acceptor"], decimals=2) for year in each))
                 for name, each, last in _offers(table))
    return Table(f"Money for each who accepts, discounted, in {currency}",
                 ("offer", "contacts", "offer cost", "of it to who\nstay a year anyway",
                  *(f"net value,\nyear {year}" for year in years)), rows)


def causes_table(table: pd.DataFrame) -> Table:
    """Return the change of leaving by cause until the last year's end."""
    causes = [str(name) for name in table.columns if str(name).startswith(CAUSE)]
    rows = tuple((name, *(_points(last[cause]) for cause in causes)) for name, _, last in _offers(table))
    heads = tuple(cause.removeprefix(CAUSE).replace("_", "\n") for cause in causes)
    return Table(f"Change of leaving by cause until the end of year {table['year'].max()}, percentage points of those "
                 "who may have the offer", ("offer", *heads), rows)


def as_data(found: OfferEffects) -> dict[str, Any]:
    """Return everything as plain data, numbers that are not known as null."""
    facts = {field.name: getattr(found, field.name) for field in fields(found) if field.name != "table"}
    rows = [{name: None if value != value else value for name, value in row.items()} for row in records(found.table)]
    return {**facts, "offers": rows}


def _offers(table: pd.DataFrame) -> list[tuple[str, list[Mapping[str, Any]], Mapping[str, Any]]]:
    """Return each offer with its rows by year, and the last."""
    found = []
    for name in dict.fromkeys(table["offer"]):
        years = records(table[table["offer"] == name])
        found.append((str(name), years, years[-1]))
    return found


def _accept(row: Mapping[str, Any]) -> str:
    return "-" if row["offer"] == CONTACT else percent(row["accept_prob"], decimals=0)


def _points(value: float) -> str:
    return number(POINTS * value, decimals=2)
