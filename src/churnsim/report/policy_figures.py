"""The pictures of a report about policies: value against spend, prices, who is listed, rounds and waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from churnsim.policy.settings import TRUTHFUL
from churnsim.report.contents import confidence_text
from churnsim.report.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    STYLES,
    Picture,
    legend_below,
    make_picture,
    policy_styles,
    tick,
)
from churnsim.report.policy_numbers import cost_curve, listed_shares, prices_by_budget
from churnsim.report.run_folder import Run
from churnsim.report.words import number

GRID = "#dddddd"
# Curves are drawn to so many times the campaign's budget, where most of them have flattened out.
MOST_BUDGETS = 3.0
# Curves that stay below this share of the highest one get a panel of their own.
NEAR_SHARE = 1 / 3
# Points from one interval to the next.
BARS_EVERY = 5
# What a price is shown for: an hour of an agent, a thousand messages.
PRICED = {"minutes": (60.0, "an agent hour"), "messages": (1000.0, "1,000 messages"), "subscribers": (1.0, "one more")}
FILLS = ((BLUE, ""), (ORANGE, "////"), (SKY, "...."), (GREEN, r"\\\\"), (PURPLE, "xxxx"), (GREY, "----"))


def draw_policies(run: Run) -> list[Picture]:
    """Return the figures about the policies of the first scenario, those that nothing can be drawn of left out."""
    scenario = run.scenarios[0]
    drawn = (cost_curve_figure(run, scenario), prices_figure(run, scenario), arms_figure(run, scenario),
             segments_figure(run, scenario), rounds_figure(run, scenario), waves_figure(run, scenario))
    return [picture for picture in drawn if picture is not None]


def cost_curve_figure(run: Run, scenario: str) -> Picture | None:
    """Draw true value against planned spend, a line a policy, with intervals."""
    curve, budget = cost_curve(run, scenario), run.budget_amount(scenario)
    if curve is None or budget is None or curve.empty:
        return None
    curve = curve[curve["budget_amount"] <= MOST_BUDGETS * budget]
    styles, currency = policy_styles(run), run.summary["currency"]
    top = curve.groupby("policy", sort=False)["true_value_amount"].apply(lambda values: values.abs().max())
    near = [name for name in top.index if top[name] <= NEAR_SHARE * top.max()]
    panels = [list(top.index)] + ([near] if 1 < len(near) < len(top) else [])
    title = f"Cost curves: true value of each policy's list against what it spends, {currency}"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, names, head in zip(axes, panels, ("All policies", "The lower ones, enlarged"), strict=False):
            ax.axhline(0.0, color="black", linewidth=0.8)
            ax.axvline(budget, color=GREY, linewidth=0.9, linestyle=":")
            for name in names:
                _with_intervals(ax, curve[curve["policy"] == name], styles, name, _named(run, name))
            _limit_to(ax, curve.loc[curve["policy"].isin(names), "true_value_amount"])
            ax.set_title(head if len(panels) > 1 else "")
            ax.set_xlabel(f"planned spend, {currency}", fontsize=9)
            _money_axes(ax)
        axes[0].set_ylabel(f"true value under the plan's reach, {currency}", fontsize=9)
        legend_below(figure, axes[0], columns=4)

    best = curve.iloc[int(curve["true_value_amount"].argmax())]
    words = (f"Lines of true value against planned spend at growing budgets, scenario {scenario}; at some points of "
             f"each the {confidence_text(run)} over replicates, longer ones cut off at the edge; a dotted line marks "
             f"the budget of {number(budget)} {currency}. {best['policy']} gets highest, "
             f"{number(best['true_value_amount'])} {currency} at a spend of {number(best['planned_spend_amount'])}. A "
             "single point is a policy whose list was made at its budget only.")
    return make_picture("cost_curves", title, words, draw, height=5.0)


def _with_intervals(ax: Axes, rows: pd.DataFrame, styles: Mapping[str, tuple[str, str, str]], policy: str, label: str
                    ) -> None:
    colour, marker, line = styles[policy]
    value = rows["true_value_amount"]
    bars = np.nan_to_num([value - rows["low"], rows["high"] - value])
    # Not all policies have intervals at the same points: they would lie on each other.
    first = 0 if len(rows) < BARS_EVERY else 1 + list(styles).index(policy) % BARS_EVERY
    ax.errorbar(rows["planned_spend_amount"], value, yerr=bars, errorevery=(first, BARS_EVERY), color=colour,
                marker=marker, linestyle=line, markersize=4, elinewidth=0.7, capsize=2, label=label)


def _limit_to(ax: Axes, values: pd.Series[float]) -> None:
    """Show the range of mean values."""
    low, high = min(0.0, values.min()), max(0.0, values.max())
    pad = 0.15 * (high - low) or 1.0
    ax.set_ylim(low - pad, high + pad)


def _named(run: Run, policy: str) -> str:
    return f"{policy} (knows the truth)" if run.kind(policy) in TRUTHFUL else policy


def _money_axes(ax: Axes) -> None:
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(tick))
    ax.locator_params(axis="x", nbins=6)
    ax.grid(color=GRID, linewidth=0.6)


def prices_figure(run: Run, scenario: str) -> Picture | None:
    """Draw what one more unit of money, an agent hour and messages are worth, against the budget."""
    prices, budget = prices_by_budget(run, scenario), run.budget_amount(scenario)
    if prices is None or budget is None:
        return None
    prices = prices[(prices["budget_amount"] > 0) & (prices["budget_amount"] <= MOST_BUDGETS * budget)]
    money, others = prices[prices["unit"] == "money"], prices[prices["unit"].isin(list(PRICED))]
    binds = bool((others["shadow_price_amount"] > 0).any())
    if money.empty:
        return None
    styles, currency = policy_styles(run), run.summary["currency"]
    title = f"Shadow prices against the budget, {currency}"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 2 if binds else 1, squeeze=False)[0]
        for name, rows in money.groupby("policy", sort=False):
            colour, marker, line = styles[str(name)]
            axes[0].plot(rows["budget_amount"], rows["shadow_price_amount"], color=colour, marker=marker,
                         linestyle=line, markersize=4, label=_named(run, str(name)))
        axes[0].set_title("One more unit of money")
        axes[0].set_ylabel(f"planned value it buys, {currency}", fontsize=9)
        axes[0].legend(fontsize=8, frameon=False)
        if len(axes) > 1:
            _draw_limits(axes[1], others, styles)
            axes[1].set_title("Staff and messages")
            axes[1].set_ylabel(f"planned value of one more, {currency}", fontsize=9)
        for ax in axes:
            ax.axvline(budget, color=GREY, linewidth=0.9, linestyle=":")
            ax.set_xlabel(f"budget, {currency}", fontsize=9)
            ax.set_ylim(bottom=0.0)
            _money_axes(ax)

    words = (f"Lines of shadow prices against the budget, scenario {scenario}, means over replicates: planned "
             "value, by the policy's own belief, that one more unit of money buys after all costs, that unit "
             "included; it falls as the best chances are taken, and is 0 where nothing is left to buy. The dotted "
             "line marks the budget.")
    if binds:
        words += " Right: what one more agent hour, and 1,000 more messages, would be worth; 0 where there is enough."
    elif not others.empty:
        words += " Staff and messages suffice at each of these budgets: more of them would be worth nothing."
    return make_picture("shadow_prices", title, words, draw, height=4.2)


def _draw_limits(ax: Axes, others: pd.DataFrame, styles: dict[str, tuple[str, str, str]]) -> None:
    looks = list(dict.fromkeys(styles.values()))
    for position, ((policy, limit, unit), rows) in enumerate(others.groupby(["policy", "limit", "unit"], sort=False)):
        factor, what = PRICED[str(unit)]
        colour, marker, line = looks[position % len(looks)]
        ax.plot(rows["budget_amount"], factor * rows["shadow_price_amount"], color=colour, marker=marker,
                linestyle=line, markersize=4, label=f"{policy}: {limit}, {what}")
    ax.legend(fontsize=8, frameon=False)


def arms_figure(run: Run, scenario: str) -> Picture | None:
    """Draw how many each policy lists for each offer and channel, stacked, as shares of its list."""
    shares = listed_shares(run, scenario)
    if shares is None:
        return None
    once = shares[shares["by"] == shares["by"].iloc[0]]
    counts = once.pivot_table(index="policy", columns="arm", values="listed", aggfunc="sum", sort=False, observed=True)
    counts = counts.loc[[name for name in _ranked(run, scenario) if name in counts.index][::-1]]
    counts = counts[counts.sum(axis=1) > 0]
    if counts.empty:
        return None
    percents = 100.0 * counts.div(counts.sum(axis=1), axis=0)
    title = "Offers and channels of each policy's list, %"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        start = np.zeros(len(percents))
        for position, arm in enumerate(percents.columns):
            colour, hatch = FILLS[position % len(FILLS)]
            ax.barh(range(len(percents)), percents[arm], left=start, height=0.7, color=colour, hatch=hatch,
                    edgecolor="white", linewidth=0.6, label=str(arm))
            start += percents[arm].to_numpy()
        mean = counts.sum(axis=1) / run.summary["replicates"]
        ax.set_yticks(range(len(percents)), [f"{name}\n{number(mean[name])} listed" for name in percents.index])
        ax.set_xlim(0.0, 100.0)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("% of those listed, all replicates together", fontsize=9)
        legend_below(figure, ax, columns=3)

    words = (f"Stacked bars for each policy, scenario {scenario}: which share of its list gets which offer through "
             "which channel. The table listed_shares has the numbers, by segment too.")
    return make_picture("offers_of_lists", title, words, draw, height=1.5 + 0.45 * len(percents))


def segments_figure(run: Run, scenario: str) -> Picture | None:
    """Draw which share of each segment every policy lists, as a table in shades."""
    shares = listed_shares(run, scenario)
    if shares is None:
        return None
    listed = 100.0 * shares.groupby(["by", "segment", "policy"], sort=False, observed=True)["share"].sum().unstack()
    listed = listed.loc[:, [name for name in _ranked(run, scenario) if name in listed and listed[name].max() > 0]]
    if listed.empty:
        return None
    shade = np.sqrt(listed.to_numpy())
    title = "Who is listed: % of each segment, by policy"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.pcolormesh(shade, cmap="Greys", vmin=0.0, vmax=1.3 * max(shade.max(), 1.0), edgecolors="white", linewidth=1)
        for (i, j), value in np.ndenumerate(listed.to_numpy()):
            dark = shade[i, j] > 0.65 * shade.max()
            ax.annotate(number(value, decimals=1 if value < 10 else 0), (j + 0.5, i + 0.5), ha="center", va="center",
                        fontsize=8, color="white" if dark else "black")
        ax.set_xticks(np.arange(listed.shape[1]) + 0.5, _two_lines(listed.columns), fontsize=8)
        ax.set_yticks(np.arange(len(listed)) + 0.5, [f"{by}: {segment}" for by, segment in listed.index], fontsize=8)
        groups = [by for by, _ in listed.index]
        for row in range(1, len(groups)):
            if groups[row] != groups[row - 1]:
                ax.axhline(row, color="black", linewidth=1.0)
        ax.invert_yaxis()
        ax.xaxis.tick_top()
        ax.tick_params(length=0)

    words = (f"A table in shades, scenario {scenario}: a row a segment of the operator's table, a column a policy, in "
             "the order of net value, and in each cell the percentage of the segment that the policy lists, all "
             "replicates together; darker is more.")
    return make_picture("segments_of_lists", title, words, draw, height=1.3 + 0.26 * len(listed))


def _ranked(run: Run, scenario: str) -> list[str]:
    """Return the policies of a scenario, highest net value first."""
    return [entry["name"] for entry in run.policies(scenario)]


def _two_lines(names: Iterable[str]) -> list[str]:
    return [str(name).replace("_", "_\n", 1) for name in names]


def rounds_figure(run: Run, scenario: str) -> Picture | None:
    """Draw planned against rehearsed value by round of the policies that rehearse their lists, a panel a policy."""
    rounds = run.table("rounds", scenario)
    if rounds is None:
        return None
    rounds = rounds[rounds["replicate"] == rounds["replicate"].min()]
    policies, currency = list(dict.fromkeys(rounds["policy"])), run.summary["currency"]
    title = f"Lists and rehearsals in turn, {currency}"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(policies), squeeze=False)[0]
        for ax, policy in zip(axes, policies, strict=True):
            mine = rounds[rounds["policy"] == policy]
            for column, label, (colour, marker, line) in zip(
                    ("listed_value_amount", "rehearsed_value_amount"),
                    ("value by the reach it was made with", "value in rehearsals"), STYLES, strict=False):
                ax.plot(mine["round"], mine[column], color=colour, marker=marker, linestyle=line, markersize=4,
                        label=label)
            taken = mine[mine["taken"].astype(bool)]
            ax.plot(taken["round"], taken["rehearsed_value_amount"], color="black", marker="o", markersize=11,
                    markerfacecolor="none", linestyle="none", label="the list that is taken")
            ax.set_title(str(policy))
            ax.set_xlabel("round; 0: without regard for staff", fontsize=9)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.yaxis.set_major_formatter(FuncFormatter(tick))
            ax.grid(color=GRID, linewidth=0.6)
        axes[0].set_ylabel(f"value of the list, {currency}", fontsize=9)
        legend_below(figure, axes[0], columns=3)

    words = (f"Lines by round, scenario {scenario}, replicate {rounds['replicate'].iloc[0]}: what each list was worth "
             "by the reach that it was made with, and what rehearsals in the contact centre, drawn apart, found it "
             "worth. The best by rehearsals is taken. Where the lines meet, list and centre agree.")
    return make_picture("rounds", title, words, draw, height=3.9)


def waves_figure(run: Run, scenario: str) -> Picture | None:
    """Draw net value and numbers listed by month of the policies that list month after month."""
    waves = run.table("waves", scenario)
    if waves is None:
        return None
    styles, currency = policy_styles(run), run.summary["currency"]
    means = waves.groupby(["policy", "month"], sort=False, observed=True)[
        ["net_value_amount", "listed", "explored"]].mean().reset_index()
    title = f"Campaigns over months: net value of each month's list, {currency}, and its length"

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.axhline(0.0, color="black", linewidth=0.8)
        for policy, rows in means.groupby("policy", sort=False):
            colour, marker, line = styles[str(policy)]
            left.plot(rows["month"], rows["net_value_amount"], color=colour, marker=marker, linestyle=line,
                      markersize=5, label=str(policy))
            right.plot(rows["month"], rows["listed"], color=colour, marker=marker, linestyle=line, markersize=5)
            right.plot(rows["month"], rows["explored"], color=colour, marker=marker, linestyle=line, markersize=5,
                       markerfacecolor="white")
        left.set_ylabel(f"expected net value, {currency}", fontsize=9)
        right.set_ylabel("subscribers; hollow: drawn at random to learn", fontsize=9)
        right.set_ylim(bottom=0.0)
        for ax in (left, right):
            ax.set_xlabel("calendar month of the list", fontsize=9)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.yaxis.set_major_formatter(FuncFormatter(tick))
            ax.grid(color=GRID, linewidth=0.6)
        legend_below(figure, left, columns=4)

    words = (f"Lines by month, scenario {scenario}, means over replicates. Left: net value of each month's list "
             "against a world without it. Right: how many are listed, and how many of them were drawn at random to "
             "learn from (hollow marks).")
    return make_picture("waves", title, words, draw, height=4.2)
