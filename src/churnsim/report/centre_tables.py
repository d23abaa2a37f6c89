"""The numbers of a centre's month and of a search for staff as rows of text."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from churnsim.capacity.staffing import Staffing
from churnsim.report.contents import Table, records
from churnsim.report.words import ABSENT, interval, number, percent

CAPTIONS = {"all": "All orders", "step": "Orders left after each step", "outcome": "What became of the orders",
            "channel": "By channel", "value decile": "By tenth of the orders' value, 10 the most valuable",
            "stream": "Inbound calls by stream", "team": "By team", "points": "Points for reported saves"}


def metric_tables(metrics: pd.DataFrame, *, currency: str) -> Iterator[Table]:
    """Yield the metrics of a month, a table for each kind of group: metrics down, groups across."""
    for by, caption in CAPTIONS.items():
        own = metrics[metrics["by"] == by]
        if not len(own):
            continue
        if by in ("step", "outcome"):
            yield _down(own, caption)
            continue
        groups = list(dict.fromkeys(own["group"]))
        cells = {(row["metric"], row["group"]): row["value"] for row in records(own)}
        units = dict(zip(own["metric"], own["unit"], strict=True))
        rows = tuple((metric.replace("_", " "), *(_cell(cells.get((metric, group)), unit) for group in groups),
                      unit_text(unit, currency)) for metric, unit in units.items())
        heads = groups if by != "all" else ["value"]
        yield Table(caption, ("metric", *heads, "unit"), rows, (0, len(heads) + 1))


def _down(own: pd.DataFrame, caption: str) -> Table:
    """Return groups down and metrics across."""
    metrics = list(dict.fromkeys(own["metric"]))
    rows = {str(group): {row["metric"]: _cell(row["value"], row["unit"]) for row in records(frame)}
            for group, frame in own.groupby("group", sort=False)}
    return Table(caption, ("", *(metric.replace("_", " ") for metric in metrics)),
                 tuple((group, *(found[metric] for metric in metrics)) for group, found in rows.items()))


def unit_text(unit: str, currency: str) -> str:
    """Return a unit as it is printed: amounts in the currency, shares as percentages that show it themselves."""
    return {"amount": currency, "share": ""}.get(unit, unit)


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return ABSENT
    if unit == "share":
        return percent(value)
    return number(value, decimals=0 if value == round(value) and unit != "amount" else 2)


def shadow_table(prices: pd.DataFrame, *, currency: str) -> Table:
    """Return what one more agent hour is worth, a row a team and hour."""
    rows = tuple((str(row["team"]), f"{row['hour']}-{row['hour'] + 1}", number(row["price_amount"], decimals=2),
                  interval(row["price_low"], row["price_high"], decimals=2), number(row["worth_amount"], decimals=2),
                  number(row["cost_per_hour_amount"], decimals=2), number(row["callers_served"], decimals=2))
                 for row in records(prices))
    heads = ("team", "hour", "net value\nan hour", "95 % interval", "before\npay", "cost of\nan hour",
             "callers served\nan hour")
    return Table(f"What one more agent hour is worth, {currency}", heads, rows, (0, 1))


def staffing_table(found: Staffing, *, currency: str) -> Table:
    """Return the numbers of agents tried, the answer and the knee marked."""
    def mark(agents: int) -> str:
        marked = {"answer": found.agents, "knee": found.knee, "first guess": found.first_guess}
        return ", ".join(word for word, at in marked.items() if at == agents)

    has_goal, has_orders = found.goal_share is not None, bool(found.curve["contact_cost_amount"].any())
    heads = ["agents", *(["service\nlevel", "95 % interval, %", "gave up"] if has_goal else []), "occupancy",
             *(["reached\nin time", "net value", "before pay", "after pay", "95 % interval\nof after pay",
                "cost of\nhandled time"] if has_orders else []), "pay of\nall hours", ""]
    rows = []
    for row in records(found.curve):
        level = [percent(row["service_level"]),
                 interval(100.0 * row["service_level_low"], 100.0 * row["service_level_high"], decimals=1),
                 percent(row["abandonment_rate"])] if has_goal else []
        money = [number(row["reached_in_time"]), number(row["net_value_amount"]), number(row["before_pay_amount"]),
                 number(row["after_pay_amount"]), interval(row["after_pay_amount_low"], row["after_pay_amount_high"]),
                 number(row["handled_amount"])] if has_orders else []
        rows.append((str(row["agents"]), *level, percent(row["occupancy"]), *money, number(row["paid_amount"]),
                     mark(row["agents"])))
    return Table(f"Agents of team {found.team}: {found.goal}; amounts in {currency} a month", tuple(heads), tuple(rows),
                 (0, len(heads) - 1))
