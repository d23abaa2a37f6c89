"""The pictures of a contact centre's month and of a search for staff."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from churnsim.capacity.staffing import Staffing, knee
from churnsim.report.centre_numbers import MOST_AGENTS, Span
from churnsim.report.contents import records
from churnsim.report.figures import BLUE, GREY, MINUS, ORANGE, STYLES, Picture, legend_below, make_picture
from churnsim.report.words import counted, number, percent

GRID = "#dddddd"
HOURS = range(0, 25, 2)
# What agents do, with colours that differ in grey as well.
DOINGS = {"at work": ("#e6e6e6", "", "at work, idle"), "not reached": ("#9a9a9a", "", "attempt, not reached"),
          "reached": (BLUE, "", "subscriber reached"), "caller": (ORANGE, "////", "caller")}
# Fewer attempts than these say little of a rate.
FEW = 20


def waterfall_figure(metrics: pd.DataFrame) -> Picture:
    """Draw how many orders are left after each step from the list to the save."""
    steps = metrics[metrics["by"] == "step"]
    names, left = steps["group"].tolist(), steps["value"].to_numpy(float)
    lost = -np.diff(left, prepend=left[0])
    title = "Where orders are lost, orders left after each step"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        at = np.arange(len(names))
        ax.bar(at, left, width=0.62, color=BLUE, label="left")
        ax.bar(at, lost, width=0.62, bottom=left, color="white", edgecolor=GREY, hatch="////", linewidth=0.8,
               label="lost at this step")
        for x, here, gone in zip(at, left, lost, strict=True):
            text = number(here) + (f"\n{MINUS}{number(gone)}" if gone else "")
            ax.annotate(text, (x, here + gone), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8.5)
        ax.set_xticks(at, names)
        ax.set_ylabel("orders", fontsize=9)
        ax.yaxis.set_major_formatter(FuncFormatter(_money))
        ax.set_ylim(0, 1.16 * max(left.max(initial=0.0), 1.0))
        _plain(ax)
        legend_below(figure, ax, columns=2)

    words = "Bars of the orders left after each step: " + ", ".join(
        f"{name} {number(count)}" for name, count in zip(names, left, strict=True)) + "."
    return make_picture("waterfall", title, words, draw, height=4.0)


def gantt_figure(day: int, spans: Sequence[Span]) -> Picture:
    """Draw what each agent did on a day."""
    rows = sorted({(span.agent, span.team) for span in spans})
    shown = rows[:MOST_AGENTS]
    place = {agent: row for row, (agent, _) in enumerate(shown)}
    title = f"What agents did on day {day}, the busiest"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for what, (colour, hatch, label) in DOINGS.items():
            own = [span for span in spans if span.what == what and span.agent in place]
            ax.barh([place[span.agent] for span in own], [span.end - span.start for span in own],
                    left=[span.start for span in own], height=0.8, color=colour, hatch=hatch, linewidth=0.0,
                    edgecolor="white", label=label)
        ax.set_yticks(range(len(shown)), [f"{team} {agent}" for agent, team in shown], fontsize=7.5)
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(min((span.start for span in spans), default=0.0) - 0.2,
                    max((span.end for span in spans), default=24.0) + 0.2)
        ax.set_xlabel("hour of the day", fontsize=9)
        ax.set_ylabel("team and agent", fontsize=9)
        legend_below(figure, ax, columns=4)

    left_out = f" The first {MOST_AGENTS} of {len(rows)} agents are shown." if len(rows) > MOST_AGENTS else ""
    words = (f"A bar an agent over day {day} of the simulation, on which most contacts began: when the agent was at "
             f"work, tried in vain, talked with a subscriber or with a caller.{left_out}")
    return make_picture("gantt", title, words, draw, height=1.6 + 0.17 * max(len(shown), 6))


def hours_figure(frame: pd.DataFrame) -> Picture:
    """Draw mean queues and occupancy by hour of the day."""
    title = "Queues and occupancy by hour of the day, means over the month"
    queues, busy = frame[frame["team"] == ""], frame[frame["what"] == "occupancy"]
    busy = busy[busy.groupby("team")["value"].transform("sum") > 0.0]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        twin = left.twinx()
        for ax, what, colour, marker, line in ((left, "orders waiting", BLUE, "o", "-"),
                                               (twin, "callers waiting", ORANGE, "s", "--")):
            rows = queues[queues["what"] == what]
            ax.plot(rows["hour"] + 0.5, rows["value"], color=colour, marker=marker, markersize=4, linestyle=line,
                    label=what)
            ax.set_ylim(0.0, 1.08 * max(rows["value"].max(), 1e-9) if rows["value"].any() else 1.0)
        left.set_ylabel("orders due and waiting, mean", fontsize=9)
        twin.set_ylabel("callers waiting, mean", fontsize=9)
        twin.spines["right"].set_visible(True)
        left.set_title("Queues")
        handles = [left.get_lines()[0], twin.get_lines()[0]]
        left.legend(handles, ["orders (left scale)", "callers (right scale)"], fontsize=8, frameon=False,
                    loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=2)
        for (team, rows), (colour, marker, line) in zip(busy.groupby("team", sort=False), cycle(STYLES), strict=False):
            every = rows.set_index("hour")["value"].reindex(range(24))
            right.plot(every.index + 0.5, 100.0 * every, color=colour, marker=marker, markersize=4, linestyle=line,
                       label=team)
        right.set_ylim(0.0, 104.0)
        right.set_title("Occupancy")
        right.set_ylabel("% of the time at work", fontsize=9)
        if len(busy):
            right.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=2)
        for ax in (left, right):
            ax.set_xticks(HOURS)
            ax.set_xlim(0, 24)
            ax.set_xlabel("hour of the day", fontsize=9)
            _plain(ax)

    words = ("Two panels by hour of the day, means over all days of the month. Left: orders that are due and not yet "
             "tried, and callers in the queue. Right: the share of their time at work that the agents of each team are "
             "busy, teams without work left out.")
    return make_picture("hours", title, words, draw, height=3.8)


def reach_heat_map(frame: pd.DataFrame) -> Picture:
    """Draw the share of attempts that reached, by number of the attempt and hour of the day."""
    title = "Attempts that reached, % by number of the attempt and hour of the day"
    hours, tries = np.unique(frame["hour"]), np.unique(frame["attempt"])
    rate, count = np.full((len(tries), len(hours)), np.nan), np.zeros((len(tries), len(hours)))
    at = np.searchsorted(tries, frame["attempt"]), np.searchsorted(hours, frame["hour"])
    rate[at], count[at] = frame["reach_rate"], frame["attempts"]

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        high = float(rate[count >= FEW].max(initial=0.01))
        image = ax.imshow(100.0 * rate, cmap="Blues", vmin=0.0, vmax=130.0 * high, aspect="auto")
        for row, column in np.argwhere(count > 0).tolist():
            share, is_sure = float(rate[row, column]), bool(count[row, column] >= FEW)
            ax.text(column, row, f"{100.0 * share:.0f}" if is_sure else f"({100.0 * share:.0f})", ha="center",
                    va="center", fontsize=8.5 if is_sure else 7.0, color="white" if share > 0.85 * high else "black")
        ax.set_xticks(range(len(hours)), [str(hour) for hour in hours])
        ax.set_yticks(range(len(tries)), [str(attempt) for attempt in tries])
        ax.tick_params(length=0)
        ax.set_xlabel("hour of the day in which the attempt began", fontsize=9)
        ax.set_ylabel("number of the attempt", fontsize=9)
        figure.colorbar(image, ax=ax, label="% reached")

    words = (f"A grid of the share of attempts that reached the subscriber; in brackets: of fewer than {FEW} attempts. "
             f"{number(frame['attempts'].sum())} attempts in all, {percent(_share(frame))} of them reached.")
    return make_picture("reach_by_attempt", title, words, draw, height=1.9 + 0.34 * len(rate))


def waits_figure(waited: dict[str, pd.DataFrame]) -> Picture:
    """Draw the share of callers not yet answered, by time, beside Erlang-A."""
    title = "Callers not yet answered, % by seconds since the call"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(waited), sharey=True, squeeze=False)[0]
        for ax, (stream, frame) in zip(axes, waited.items(), strict=True):
            ax.plot(frame["seconds"], 100.0 * frame["simulated"], color=BLUE, linestyle="-", marker="o", markevery=6,
                    markersize=4, label="simulated")
            ax.plot(frame["seconds"], 100.0 * frame["erlang_a"], color=ORANGE, linestyle="--", marker="s", markevery=6,
                    markersize=4, label="Erlang-A, hour by hour")
            ax.set_title(stream)
            ax.set_ylim(0.0, 103.0)
            ax.set_xlim(left=0.0)
            ax.set_xlabel("seconds since the call", fontsize=9)
            _plain(ax)
        axes[0].set_ylabel("% of callers not yet answered", fontsize=9)
        legend_below(figure, axes[0], columns=2)

    words = ("The share of callers who have not been answered after so many seconds; who gives up is never answered. "
             "The dashed line is Erlang-A with each hour's rate and agents, as if the stream had the agents to "
             "itself and nobody called again. Agents busy with orders or with other streams, and repeated calls, "
             "lift the simulated line above it.")
    return make_picture("waits", title, words, draw, height=3.8)


def shadow_figure(prices: pd.DataFrame, *, currency: str, seeds: int) -> Picture:
    """Draw what one more agent hour is worth, by hour of the day."""
    title = f"What one more agent hour is worth, {currency}, by hour of the day"
    groups = list(prices.groupby("team", sort=False))

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.axhline(0.0, color="black", linewidth=0.8)
        for place, ((team, rows), (colour, marker, line)) in enumerate(zip(groups, cycle(STYLES), strict=False)):
            at = rows["hour"] + 0.5 + 0.12 * (place - (len(groups) - 1) / 2)
            bars = [(rows["price_amount"] - rows["price_low"]).fillna(0.0),
                    (rows["price_high"] - rows["price_amount"]).fillna(0.0)]
            ax.errorbar(at, rows["price_amount"], yerr=bars, color=colour, marker=marker, linestyle=line, markersize=5,
                        elinewidth=0.9, capsize=2, label=str(team))
        ax.set_xticks(range(int(prices["hour"].min()), int(prices["hour"].max()) + 2))
        ax.set_xlabel("hour of the day in which one more agent is at work", fontsize=9)
        ax.set_ylabel(f"net value an agent hour, {currency}" + (", 95 % interval" if seeds > 1 else ""), fontsize=9)
        ax.yaxis.set_major_formatter(FuncFormatter(_money))
        _plain(ax)
        legend_below(figure, ax, columns=4)

    best = records(prices.sort_values("price_amount", kind="stable"))[-1]
    words = ("Lines of the net value that one more agent brings an hour, handled time charged, if at work in that hour "
             f"of every working day; means over {counted(seeds, 'seed')}. Highest: team {best['team']} from "
             f"{best['hour']} with {number(best['price_amount'], decimals=2)} {currency}; an hour costs "
             f"{number(best['cost_per_hour_amount'], decimals=2)} {currency}.")
    return make_picture("shadow_price", title, words, draw, height=4.2)


def staffing_figure(frame: pd.DataFrame, *, team: str, currency: str, seeds: int, chosen: int | None) -> Picture:
    """Draw net value against agents, a line a rule of dispatch, with the knee of each."""
    measure, what, unit = ("before_pay_amount", "net value before pay", currency)
    if not frame[measure].any():
        measure, what, unit = "reached_in_time", "orders reached in time", "orders"
    title = f"{what.capitalize()} against agents of team {team}, {unit}"
    knees = {str(rule): knee(rows["agents"], rows[measure]) for rule, rows in frame.groupby("dispatch", sort=False)}

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for (rule, rows), (colour, marker, line) in zip(frame.groupby("dispatch", sort=False), cycle(STYLES),
                                                        strict=False):
            bars = [(rows[measure] - rows[f"{measure}_low"]).fillna(0.0),
                    (rows[f"{measure}_high"] - rows[measure]).fillna(0.0)]
            ax.errorbar(rows["agents"], rows[measure], yerr=bars, color=colour, marker=marker, linestyle=line,
                        markersize=5, elinewidth=0.9, capsize=2, label=str(rule))
            bend = knees[str(rule)]
            if bend is not None:
                height = float(rows.loc[rows["agents"] == bend, measure].iloc[0])
                ax.plot([bend], [height], marker="o", markersize=13, markerfacecolor="none", markeredgecolor="black",
                        linestyle="none", label="knee" if rule == frame["dispatch"].iloc[0] else None)
        if chosen is not None:
            ax.axvline(chosen, color=GREY, linestyle=":", linewidth=1.2, label=f"best after pay: {chosen}")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_formatter(FuncFormatter(_money))
        ax.set_xlabel(f"agents of team {team}", fontsize=9)
        ax.set_ylabel(f"{what}, {unit}" + (", 95 % interval" if seeds > 1 else ""), fontsize=9)
        _plain(ax)
        legend_below(figure, ax, columns=4)

    words = (f"Lines of {what} by number of agents, one a rule of dispatch, means over {counted(seeds, 'seed')}. "
             + " ".join(f"{rule} bends most at {counted(bend, 'agent')}." for rule, bend in knees.items() if bend)
             + " Before pay: the value of those reached in time less the cost of attempts, agents not yet paid.")
    return make_picture("net_value_by_agents", title, words, draw, height=4.4)


def service_figure(found: Staffing, *, seeds: int) -> Picture:
    """Draw the service level against agents, with the goal."""
    curve, goal = found.curve, 100.0 * (found.goal_share or 0.0)
    title = f"Service level against agents of team {found.team}, % of the calls"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        level = 100.0 * curve["service_level"]
        bars = [(level - 100.0 * curve["service_level_low"]).fillna(0.0),
                (100.0 * curve["service_level_high"] - level).fillna(0.0)]
        ax.errorbar(curve["agents"], level, yerr=bars, color=BLUE, marker="o", markersize=5, elinewidth=0.9, capsize=2,
                    label="simulated" + (", 95 % interval" if seeds > 1 else ""))
        ax.plot(curve["agents"], 100.0 * curve["abandonment_rate"], color=ORANGE, linestyle="--", marker="s",
                markersize=4, label="gave up")
        ax.axhline(goal, color=GREY, linestyle=":", linewidth=1.4, label=f"goal: {goal:g} %")
        ax.set_ylim(0.0, 103.0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(f"agents of team {found.team}", fontsize=9)
        ax.set_ylabel("% of the calls", fontsize=9)
        _plain(ax)
        legend_below(figure, ax, columns=3)

    words = (f"The share of calls answered in time, and given up, by number of agents, means over "
             f"{counted(seeds, 'seed')}. {found.answer}")
    return make_picture("service_level_by_agents", title, words, draw, height=3.8)


def _plain(ax: Axes) -> None:
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)


def _money(value: float, _position: float | None = None) -> str:
    return number(value, decimals=0 if value == round(value) else 2).replace("-", MINUS)


def _share(frame: pd.DataFrame) -> float:
    made = frame["attempts"].sum()
    return float(frame["reached"].sum() / made) if made else 0.0
