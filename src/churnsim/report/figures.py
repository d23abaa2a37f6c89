"""The pictures of a report, as SVG that is the same every time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from churnsim.policy.settings import BUDGETED
from churnsim.report.contents import ORACLE, confidence_text
from churnsim.report.derived import risk_and_effect
from churnsim.report.run_folder import BUDGET_KEY, Run
from churnsim.report.words import counted, number

# Okabe and Ito's colours, which colour-blind readers tell apart; in grey, markers, lines and hatches do.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#555555"
STYLES = (
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    (GREEN, "^", "-."),
    (PURPLE, "D", ":"),
    (SKY, "v", "-"),
    (GREY, "x", "--"),
)
RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "churnsim",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "hatch.linewidth": 0.7,
    "axes.unicode_minus": True,
}
MINUS = "\u2212"
# Policies whose mean is within this share of the largest one get a panel of their own.
NEAR_SHARE = 1 / 3


@dataclass(frozen=True)
class Picture:
    """A figure: file name without ending, title, what it shows in words, and the SVG element."""

    name: str
    title: str
    description: str
    svg: str


def draw_all(run: Run) -> list[Picture]:
    """Return the figures of a run.

    Net value of every scenario; the way to acceptance, and risk against effect, of the first; net value by
    budget, if there are scenarios that differ in nothing else.
    """
    pictures = []
    for position, scenario in enumerate(run.scenarios):
        suffix = "" if position == 0 else f"_{position}"
        pictures.append(net_value_figure(run, scenario, name=f"net_value{suffix}"))
    for draw in (reach_figure, risk_figure, budget_figure):
        picture = draw(run)
        if picture is not None:
            pictures.append(picture)
    return pictures


def net_value_figure(run: Run, scenario: str, *, name: str) -> Picture:
    """Draw expected and realised net value of every policy with intervals, best first."""
    policies = run.policies(scenario)[::-1]
    means = [entry["net_value"]["mean"] for entry in policies]
    near = [e for e in policies if abs(e["net_value"]["mean"]) <= NEAR_SHARE * max(map(abs, means))]
    panels = 2 if 1 < len(near) < len(policies) else 1
    currency = run.summary["currency"]
    title = f"Net value by policy, {currency}"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
        for ax in axes:
            _estimates(ax, run, policies)
        axes[0].set_title("All policies")
        if panels == 2:
            axes[1].set_title("The same, enlarged")
            _enlarge(axes[1], policies, near)
        _money_axis(axes, run)
        legend_below(figure, axes[0], columns=2)

    best = policies[-1]
    words = (
        f"Dot plot of net value by policy in scenario {scenario}: {best['name']} is highest with "
        f"{number(best['net_value']['mean'])}, {policies[0]['name']} lowest with "
        f"{number(policies[0]['net_value']['mean'])} {currency}. The policy table has the numbers."
    )
    return make_picture(name, title, words, draw, height=1.6 + 0.42 * len(policies))


def _estimates(ax: Axes, run: Run, policies: Sequence[dict[str, Any]]) -> None:
    ax.axvline(0.0, color="black", linewidth=0.8)
    label = confidence_text(run)
    looks = (
        ("net_value", f"expected, {label}", 0.14, BLUE, "o", BLUE),
        ("net_value_realised", f"realised, {label}", -0.18, ORANGE, "D", "white"),
    )
    for metric, name, offset, colour, marker, fill in looks:
        found = [entry[metric] for entry in policies]
        at = [row + offset for row in range(len(policies))]
        ax.errorbar(
            [f["mean"] for f in found],
            at,
            xerr=_bars(found),
            fmt=marker,
            color=colour,
            markersize=6,
            markerfacecolor=fill,
            elinewidth=1.2,
            capsize=3,
            label=name,
            linestyle="none",
        )
    names = [entry["name"] + (" (knows the truth)" if run.kind(entry["name"]) == ORACLE else "") for entry in policies]
    ax.set_yticks(range(len(policies)), names)
    ax.set_ylim(-0.6, len(policies) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)


def _bars(found: Sequence[dict[str, Any]]) -> list[list[float]]:
    """Return lengths below and above the means; none where there is one replicate."""
    return [
        [0.0 if f["low"] is None else f["mean"] - f["low"] for f in found],
        [0.0 if f["high"] is None else f["high"] - f["mean"] for f in found],
    ]


def _enlarge(ax: Axes, policies: Sequence[dict[str, Any]], near: Sequence[dict[str, Any]]) -> None:
    """Show the range of the expected estimates of some policies; longer intervals end at the edge."""
    limits = [value for entry in near for value in entry["net_value"].values() if isinstance(value, float)]
    pad = 0.06 * (max(limits) - min(limits)) or 1.0
    ax.set_xlim(min(limits) - pad, max(limits) + pad)
    for row, entry in enumerate(policies):
        if entry not in near:
            left = entry["net_value"]["mean"] < min(limits)
            ax.annotate(
                "off this scale",
                (0.01 if left else 0.99, row),
                xycoords=("axes fraction", "data"),
                ha="left" if left else "right",
                va="center",
                fontsize=8,
                color=GREY,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )


def _money_axis(axes: Sequence[Axes], run: Run) -> None:
    replicates = counted(run.summary["replicates"], "replicate")
    for ax in axes:
        ax.xaxis.set_major_formatter(FuncFormatter(tick))
        ax.locator_params(axis="x", nbins=5)
        ax.set_xlabel(
            f"net value, {run.summary['currency']}, mean of {replicates}",
            fontsize=9,
        )


def tick(value: float, _position: float | None = None) -> str:
    """Return a number of an axis, with as few decimals as it needs."""
    decimals = next((k for k in range(5) if abs(round(value, k) - value) <= 1e-9 * abs(value)), 5)
    return number(value, decimals=decimals).replace("-", MINUS)


def reach_figure(run: Run) -> Picture | None:
    """Draw the shares of a policy's list that were reached, reached in time and accepted."""
    scenario = run.scenarios[0]
    policies = [entry for entry in run.policies(scenario)[::-1] if entry["targeted"]["mean"] > 0]
    if not policies:
        return None
    title = "From the list to acceptance, % of those targeted"
    looks = (
        ("reached", "reached", SKY, "////"),
        ("reached_in_time", "reached in time", BLUE, ""),
        ("accepted", "accepted", ORANGE, r"\\\\"),
    )

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for position, (metric, label, colour, hatch) in enumerate(looks):
            at = [row + 0.27 * (1 - position) for row in range(len(policies))]
            shares = [100.0 * entry[metric]["mean"] / entry["targeted"]["mean"] for entry in policies]
            ax.barh(
                at,
                shares,
                height=0.25,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.0,
                label=label,
            )
            for y, share, entry in zip(at, shares, policies, strict=True):
                ax.annotate(
                    number(entry[metric]["mean"]),
                    (share, y),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                )
        ax.set_yticks(
            range(len(policies)),
            [f"{entry['name']}\n{number(entry['targeted']['mean'])} targeted" for entry in policies],
        )
        ax.set_xlim(0.0, 100.0)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("% of those targeted; at the bars: subscribers, mean over replicates", fontsize=9)
        legend_below(figure, ax, columns=3)

    words = (
        f"Bars for each policy, scenario {scenario}: of those targeted, the shares who were reached, who "
        "were reached before they had decided to leave, and who accepted. The policy table has the numbers."
    )
    return make_picture("reach", title, words, draw, height=1.5 + 0.72 * len(policies))


def risk_figure(run: Run) -> Picture | None:
    """Draw true effects against predicted risk: of the longest list, and net value of the budgeted lists."""
    scenario = run.scenarios[0]
    bins = risk_and_effect(run, scenario)
    if bins is None:
        return None
    sizes = bins.groupby("policy", sort=False)["subscribers"].sum()
    longest = str(sizes.idxmax())
    styles = policy_styles(run)
    currency = run.summary["currency"]
    title = f"True effect against predicted risk, percentage points and {currency}"

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        rows = bins[bins["policy"] == longest]
        risk, effect = 100.0 * rows["mean_risk"], 100.0 * rows["mean_effect_on_staying"]
        slope = (effect * rows["subscribers"]).sum() / (risk * rows["subscribers"]).sum()
        left.plot(
            [0.0, risk.max()],
            [0.0, slope * risk.max()],
            color=GREY,
            linestyle=":",
            label="if effect were proportional to risk",
        )
        left.plot(risk, effect, color=BLUE, marker="o", linestyle="-", label="true mean effect")
        left.set_title(f"List of {longest}, by risk")
        left.set_ylabel("true effect on staying, percentage points", fontsize=9)
        left.legend(fontsize=8, frameon=False)
        right.axhline(0.0, color="black", linewidth=0.8)
        for policy in (name for name in sizes.index if name in styles):
            colour, marker, line = styles[policy]
            rows = bins[bins["policy"] == policy]
            right.plot(
                100.0 * rows["mean_risk"],
                rows["mean_net_value"],
                color=colour,
                marker=marker,
                linestyle=line,
                markersize=5,
                label=policy,
            )
        right.set_title("Lists under a budget, by risk")
        right.set_ylabel(f"true net value of a subscriber, {currency}", fontsize=9)
        right.yaxis.set_major_formatter(FuncFormatter(tick))
        if right.get_legend_handles_labels()[0]:
            right.legend(fontsize=8, frameon=False)
        for ax in (left, right):
            ax.set_xlabel("predicted risk of leaving, %", fontsize=9)
            ax.set_xlim(left=0.0)
            ax.grid(color="#dddddd", linewidth=0.6)

    words = (
        f"Two panels, scenario {scenario}. Left: true effect on staying of those on the list of {longest}, "
        "in bins of predicted risk, beside a line as if effect grew in proportion to risk. Right: true net "
        "value per subscriber on each list under the budget, in bins of predicted risk."
    )
    return make_picture("risk_and_effect", title, words, draw, height=4.2)


def policy_styles(run: Run) -> dict[str, tuple[str, str, str]]:
    """Return colour, marker and line of every policy under the budget, the same in each figure, no two alike."""
    names = dict.fromkeys(entry["name"] for entry in run.summary["policies"] if run.kind(entry["name"]) in BUDGETED)
    several = len(STYLES)
    looks = ((STYLES[k % several][0], *STYLES[(k + k // several) % several][1:]) for k in range(several * several))
    return dict(zip(names, cycle(looks), strict=False))


def budget_figure(run: Run) -> Picture | None:
    """Draw net value against the budget, if there are scenarios that change the budget and nothing else.

    A scenario may leave policies out; a policy is drawn at the budgets it has.
    """
    budgets: dict[float, str] = {}
    for scenario in run.scenarios:
        budget = run.budget_amount(scenario)
        ignored = {BUDGET_KEY, *(f"policies.{name}" for name in run.left_out(scenario))}
        if budget is not None and set(run.changes(scenario)) <= ignored:
            budgets.setdefault(budget, scenario)
    if len(budgets) < 2:
        return None
    styles = policy_styles(run)
    series: dict[str, dict[float, dict[str, Any]]] = {name: {} for name in styles}
    for budget, scenario in sorted(budgets.items()):
        for entry in run.policies(scenario):
            if entry["name"] in series:
                series[entry["name"]][budget] = entry["net_value"]
    currency = run.summary["currency"]
    title = f"Net value by budget, {currency}"

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.axhline(0.0, color="black", linewidth=0.8)
        step = 0.008 * max(budgets)
        for position, (policy, found) in enumerate(series.items()):
            colour, marker, line = styles[policy]
            values = list(found.values())
            ax.errorbar(
                [budget + step * (position - len(series) / 2) for budget in found],
                [value["mean"] for value in values],
                yerr=_bars(values),
                color=colour,
                marker=marker,
                linestyle=line,
                markersize=5,
                elinewidth=0.9,
                capsize=2,
                label=policy,
            )
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(tick))
        ax.set_xlabel(f"budget, {currency}", fontsize=9)
        ax.set_ylabel(f"net value, {currency}, {confidence_text(run)}", fontsize=9)
        ax.grid(color="#dddddd", linewidth=0.6)
        legend_below(figure, ax, columns=3)

    words = (
        f"Lines of net value at budgets of {', '.join(map(number, sorted(budgets)))} {currency}, one for "
        "each policy under the budget; leaving everybody alone is the line at 0."
    )
    return make_picture("net_value_by_budget", title, words, draw, height=4.6)


def legend_below(figure: Figure, ax: Axes, *, columns: int) -> None:
    """Put a legend of what `ax` shows below all panels."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def make_picture(name: str, title: str, description: str, draw: Callable[[Figure], None], *, height: float) -> Picture:
    """Return a figure 9 inches wide and `height` high, with what `draw` puts into it."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(9.0, height), layout="constrained")
        figure.suptitle(title, fontweight="bold", fontsize=11)
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg")
    return Picture(name, title, description, _element(written.getvalue(), name, title, description))


def _element(document: str, name: str, title: str, description: str) -> str:
    """Return the svg element of a document, its ids unique to the figure, with title and description."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\1{name}-", svg)
    # The page decides the width; the view box keeps the proportions.
    svg = re.sub(r'(<svg\b[^>]*?) (?:width|height)="[\d.]+pt"', r"\1", svg)
    svg = re.sub(r'(<svg\b[^>]*?) (?:width|height)="[\d.]+pt"', r"\1", svg)
    named = (
        f'role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>'
    )
    return re.sub(r"(<svg\b[^>]*)>", lambda found: f"{found.group(1)} {named}", svg, count=1)
