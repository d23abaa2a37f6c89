"""The pictures of a portrait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from churnsim.report.figures import BLUE, GREEN, GREY, ORANGE, SKY, Picture, legend_below, make_picture
from churnsim.report.portrait_numbers import LENGTHS, SIMULATED, TABLE, TENURES, Portrait
from churnsim.report.words import percent

LOOKS = {SIMULATED: (BLUE, "", "o", "-"), TABLE: (ORANGE, "////", "s", "--")}
GRID = "#dddddd"


def draw_portrait(portrait: Portrait) -> list[Picture]:
    """Return the figures of a portrait, those that nothing can be drawn of left out."""
    drawn = [states_figure(portrait), tenure_figure(portrait), contract_figure(portrait), causes_figure(portrait),
             revenue_figure(portrait), usage_figure(portrait)]
    return [picture for picture in drawn if picture is not None]


def states_figure(portrait: Portrait) -> Picture:
    """Draw the shares of the lifecycle's states."""
    frame = portrait.frames["states"]
    frame = frame[frame["state"] != "churned"]
    title = "Where subscribers are in their lifecycle, % of those on the network"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        names = [name for name in frame["state"].unique() if frame.loc[frame["state"] == name, "share"].sum() > 0]
        _bars(ax, frame, "state", names, "share")
        ax.set_ylabel("% of subscribers", fontsize=9)
        legend_below(figure, ax, columns=2)

    simulated = _of(frame, SIMULATED).sort_values("share", ascending=False).iloc[0]
    words = (f"Bars of the share of subscribers in each state at the start of month {portrait.first_month}: most, "
             f"{percent(simulated['share'])}, are in state {simulated['state']}.")
    if TABLE in set(frame["source"]):
        words += " The table's states follow from months in service alone: it has no decline and no suspension."
    return make_picture("states", title, words, draw, height=3.6)


def tenure_figure(portrait: Portrait) -> Picture:
    """Draw monthly churn by months in service with intervals."""
    frame = portrait.frames["tenure"]
    title = "Monthly churn by months in service, %"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for position, source in enumerate(frame["source"].unique()):
            rows = _of(frame, source)
            at = np.array([TENURES.index(band) for band in rows["band"]]) + 0.15 * (2 * position - 1)
            colour, _, marker, line = LOOKS[source]
            _with_intervals(ax, at[rows["rows"] > 0], rows[rows["rows"] > 0], colour, marker, line,
                            f"{source}, 95 % interval")
        ax.set_xticks(range(len(TENURES)), TENURES)
        ax.set_xlabel("months in service when the month began", fontsize=9)
        _percent_axis(ax)
        legend_below(figure, ax, columns=2)

    words = ("Points with intervals of the share that decides to leave in a month, by months in service. "
             + _beside(portrait, "tenure", "The table's rates are re-weighted to its population's monthly churn, "
                       "and its months in service are those when the row was taken"
                       f"{_later(portrait.delay_months)}."))
    return make_picture("tenure", title, words, draw, height=4.2)


def contract_figure(portrait: Portrait) -> Picture:
    """Draw monthly churn by month of the contract."""
    frame = portrait.frames["contract_month"]
    title = "Monthly churn by month of the contract, %"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(LENGTHS), sharey=True, squeeze=False)[0]
        for ax, length in zip(axes, LENGTHS, strict=True):
            for source in frame["source"].unique():
                rows = _of(frame, source)
                free = rows[rows["contract_length_months"] == 0]["monthly_rate"]
                rows = rows[(rows["contract_length_months"] == length) & (rows["rows"] > 0)]
                colour, _, marker, line = LOOKS[source]
                _with_intervals(ax, rows["contract_month"].to_numpy(float), rows, colour, marker, line,
                                f"{source}, 95 % interval")
                if len(free) and not free.isna().any():
                    ax.axhline(100.0 * free.iloc[0], color=colour, linestyle=":", linewidth=1.2,
                               label=f"{source}, out of contract")
            ax.set_title(f"Contracts of {length} months")
            ax.set_xlabel("month of the contract", fontsize=9)
        for ax in axes:
            _percent_axis(ax, label=ax is axes[0])
        legend_below(figure, axes[0], columns=2)

    words = ("Two panels: the share that decides to leave in each month of a running contract of 12 and of 24 months; "
             "the dotted line is the share out of contract. " + _beside(portrait, "contract_month", ""))
    return make_picture("contract_month", title, words, draw, height=4.0)


def causes_figure(portrait: Portrait) -> Picture:
    """Draw the causes of leaving."""
    frame = portrait.frames["causes"].sort_values("share")
    title = "Why subscribers leave, % of leavers"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.barh(range(len(frame)), 100.0 * frame["share"], color=BLUE, height=0.6)
        for row, share in enumerate(frame["share"]):
            ax.annotate(percent(share), (100.0 * share, row), xytext=(4, 0), textcoords="offset points", va="center",
                        fontsize=8)
        ax.set_yticks(range(len(frame)), [name.replace("_", " ") for name in frame["cause"]])
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("% of those who decided to leave", fontsize=9)

    words = (f"Bars of the true causes of {portrait.leavers:,} simulated leavers; {frame['cause'].iloc[-1]} is the "
             "most frequent. No table tells causes, so none is beside them.")
    return make_picture("causes", title, words, draw, height=1.2 + 0.32 * len(frame))


def revenue_figure(portrait: Portrait) -> Picture:
    """Draw the shares of subscribers and of revenue by customer type."""
    frame = portrait.frames["revenue"]
    title = "Who the subscribers are and who pays, by customer type, %"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
        names = list(dict.fromkeys(frame["customer_type"]))
        for ax, column, heading in ((axes[0], "share_of_subscribers", "Subscribers"),
                                    (axes[1], "share_of_revenue", "Revenue")):
            _bars(ax, frame, "customer_type", names, column)
            ax.set_title(heading)
            ax.set_ylabel("% of all" if column == "share_of_subscribers" else "", fontsize=9)
        legend_below(figure, axes[0], columns=2)

    rows = _of(frame, SIMULATED)
    others = float(rows.loc[rows["customer_type"] != "individual", "share_of_revenue"].sum())
    words = ("Bars of each customer type's share of subscribers and of the last month's bills; families and "
             f"enterprises pay {percent(others)} of the simulated revenue. " + _beside(portrait, "revenue", ""))
    return make_picture("revenue", title, words, draw, height=3.8)


def usage_figure(portrait: Portrait) -> Picture:
    """Draw usage in the months before leaving, against those who stayed."""
    frame = portrait.frames["usage_before"]
    title = "Usage in the months before leaving, each one's mean of six months = 100"
    looks = {("left", SIMULATED): (BLUE, "o", "-"), ("stayed", SIMULATED): (SKY, "^", "-"),
             ("left", TABLE): (ORANGE, "s", "--"), ("stayed", TABLE): (GREEN, "D", "--")}

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.axhline(100.0, color=GREY, linewidth=0.8)
        for source in frame["source"].unique():
            for who in ("left", "stayed"):
                rows = frame[(frame["source"] == source) & (frame["who"] == who)]
                colour, marker, line = looks[who, source]
                ax.plot(-rows["months_before"], rows["usage_index"], color=colour, marker=marker, linestyle=line,
                        label=f"{who}, {source}")
        ax.set_xticks(range(-6, 0), [str(k) for k in range(6, 0, -1)])
        ax.set_xlabel("months before the month in which they left, or could have", fontsize=9)
        ax.set_ylabel("usage, own mean = 100", fontsize=9)
        ax.grid(color=GRID, linewidth=0.6)
        legend_below(figure, ax, columns=2)

    last = frame[frame["months_before"] == 1]
    ends = [f"{who} {index:.0f} ({source})" for who, index, source in
            zip(last["who"], last["usage_index"], last["source"], strict=True)]
    words = ("Lines of usage over each subscriber's own mean of six months; in the last month: "
             + ", ".join(ends) + ". "
             + _beside(portrait, "usage_before", "A table that gives a mean and a change has equal earlier months."))
    return make_picture("usage_before", title, words, draw, height=4.0)


def _later(months: int) -> str:
    return f", {months} month{'s' if months > 1 else ''} before the month of its outcome" if months else ""


def _of(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    return frame[frame["source"] == source]


def _beside(portrait: Portrait, figure: str, note: str) -> str:
    if not portrait.table_rows:
        return ""
    return f"The table is not beside it: {portrait.absent[figure]}." if figure in portrait.absent else note


def _bars(ax: Axes, frame: pd.DataFrame, label: str, names: Sequence[str], column: str) -> None:
    sources = list(frame["source"].unique())
    width = 0.8 / len(sources)
    for position, source in enumerate(sources):
        rows = _of(frame, source).set_index(label)[column].reindex(list(names)).fillna(0.0)
        at = np.arange(len(names)) + width * (position - (len(sources) - 1) / 2)
        colour, hatch, _, _ = LOOKS[source]
        ax.bar(at, 100.0 * rows, width=0.92 * width, color=colour, hatch=hatch, edgecolor="white", linewidth=0.0,
               label=source)
        for x, share in zip(at[rows > 0], rows[rows > 0], strict=True):
            ax.annotate(percent(share).removesuffix(" %"), (x, 100.0 * share), xytext=(0, 2),
                        textcoords="offset points", ha="center", fontsize=7.5)
    ax.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names], fontsize=9)
    ax.tick_params(axis="x", length=0)


def _with_intervals(ax: Axes, at: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rows: pd.DataFrame, colour: str,
                    marker: str, line: str, label: str) -> None:
    rate = 100.0 * rows["monthly_rate"].to_numpy(float)
    spread = [rate - 100.0 * rows["low"].to_numpy(float), 100.0 * rows["high"].to_numpy(float) - rate]
    ax.errorbar(at, rate, yerr=np.maximum(spread, 0.0), color=colour, marker=marker, linestyle=line, markersize=5,
                elinewidth=0.9, capsize=2, label=label)


def _percent_axis(ax: Axes, *, label: bool = True) -> None:
    if label:
        ax.set_ylabel("% that leaves in a month", fontsize=9)
    ax.set_ylim(bottom=0.0)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
