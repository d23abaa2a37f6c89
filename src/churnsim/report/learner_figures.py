"""The pictures of a report about learners beside the truth: gain by depth, calibration, kinds of subscribers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from churnsim.experiment.curve_grid import BY_RISK, BY_TRUTH, EFFECT_THRESHOLD, RISK_THRESHOLD
from churnsim.report.figures import GREY, STYLES, Picture, legend_below, make_picture, tick
from churnsim.report.policy_numbers import effect_deciles, gain_curves
from churnsim.report.run_folder import Run
from churnsim.report.words import percent

GRID = "#dddddd"
# Offers in a row of panels.
COLUMNS = 3
# Rankings beside those of the learners, and how they are drawn.
BESIDE = {BY_TRUTH: ("black", "", "-"), BY_RISK: (GREY, "", "--")}
RANDOM = ("black", "", ":")
KIND_WORDS = {"persuadable": "persuadable", "sure_thing": "sure thing", "lost_cause": "lost cause",
              "do_not_disturb": "sleeping dog"}


def draw_learners(run: Run) -> list[Picture]:
    """Return the figures about the learners of the first scenario, those that nothing can be drawn of left out."""
    scenario = run.scenarios[0]
    drawn = (gain_figure(run, scenario), calibration_figure(run, scenario), kinds_figure(run, scenario))
    return [picture for picture in drawn if picture is not None]


def gain_figure(run: Run, scenario: str) -> Picture | None:
    """Draw the true gain of treating the first so many by each ranking, a panel an offer."""
    gains = gain_curves(run, scenario)
    if gains is None:
        return None
    offers, currency = list(dict.fromkeys(gains["offer"])), run.summary["currency"]
    looks = _looks(name for name in dict.fromkeys(gains["ranking"]) if name not in BESIDE) | BESIDE
    title = f"Qini curves: true gain by depth, {currency} a subscriber who may have the offer"

    def draw(figure: Figure) -> None:
        axes = _panels(figure, offers)
        for ax, offer in zip(axes, offers, strict=True):
            mine = gains[gains["offer"] == offer]
            for name, rows in mine.groupby("ranking", sort=False):
                colour, marker, line = looks[str(name)]
                ax.plot(100.0 * rows["depth_share"], rows["gain_amount"], color=colour, marker=marker, linestyle=line,
                        markersize=3.5, markevery=2, label=str(name))
            colour, _, line = RANDOM
            once = mine[mine["ranking"] == mine["ranking"].iloc[0]]
            ax.plot(100.0 * once["depth_share"], once["random_gain_amount"], color=colour, linestyle=line,
                    label="random order")
            ax.set_xlim(0.0, 100.0)
            ax.set_xlabel("% treated, first by ranking", fontsize=9)
            _look(ax, offer)
        axes[0].set_ylabel(f"true gain, {currency} a subscriber", fontsize=9)
        legend_below(figure, axes[0], columns=4)

    words = (f"A panel an offer, scenario {scenario}: true gain, all costs taken off, when the first so many of those "
             "who may have the offer get it through the pilot's channel, ranked by each learner's value, by predicted "
             "risk, by the truth, and at random. All end where everybody is treated; a line above the random one "
             "ranks better than chance, and its highest point is the best depth. Means over replicates.")
    return make_picture("qini_curves", title, words, draw, height=_height(offers))


def calibration_figure(run: Run, scenario: str) -> Picture | None:
    """Draw the true value of deciles of the expected one, a panel an offer."""
    deciles = effect_deciles(run, scenario)
    if deciles is None:
        return None
    offers, currency = list(dict.fromkeys(deciles["offer"])), run.summary["currency"]
    looks = _looks(dict.fromkeys(deciles["learner"]))
    title = f"Calibration: true against expected value of listing a subscriber, by decile, {currency}"

    def draw(figure: Figure) -> None:
        axes = _panels(figure, offers)
        for ax, offer in zip(axes, offers, strict=True):
            mine = deciles[deciles["offer"] == offer]
            both = mine[["predicted_amount", "true_amount"]]
            ends = [both.min().min(), both.max().max()]
            ax.plot(ends, ends, color="black", linewidth=0.8, linestyle=":", label="true as expected")
            for name, rows in mine.groupby("learner", sort=False):
                colour, marker, line = looks[str(name)]
                ax.plot(rows["predicted_amount"], rows["true_amount"], color=colour, marker=marker, linestyle=line,
                        markersize=4, linewidth=1.0, label=str(name))
            ax.xaxis.set_major_formatter(FuncFormatter(tick))
            ax.locator_params(axis="x", nbins=5)
            ax.set_xlabel(f"mean expected value, {currency}", fontsize=9)
            _look(ax, offer)
        axes[0].set_ylabel(f"mean true value, {currency}", fontsize=9)
        legend_below(figure, axes[0], columns=4)

    words = (f"A panel an offer, scenario {scenario}: those who may have it in ten groups by the value that a learner "
             "expects of listing them, and the mean true value of each group. On the dotted line values are true on "
             "average; a flatter curve promises more differences than there are. Means over replicates.")
    return make_picture("calibration", title, words, draw, height=_height(offers))


def kinds_figure(run: Run, scenario: str) -> Picture | None:
    """Draw how many subscribers have which risk and which effect, a panel an offer, with the four kinds."""
    grid, kinds = run.table("risk_effect_grid", scenario), run.table("subscriber_kinds", scenario)
    if grid is None or kinds is None:
        return None
    offers = list(dict.fromkeys(grid["offer"]))
    most = grid.groupby(["offer", "risk_from", "effect_from"])["subscribers"].sum().max()
    title = "Risk against effect: the four kinds of subscribers, by offer"

    def draw(figure: Figure) -> None:
        axes = _panels(figure, offers, sharey=True)
        drawn: ScalarMappable | None = None
        for ax, offer in zip(axes, offers, strict=True):
            drawn = _draw_grid(ax, grid[grid["offer"] == offer], most)
            _name_kinds(ax, kinds[kinds["offer"] == offer])
            ax.set_title(str(offer))
            ax.set_xlabel("true risk of leaving if left alone, %", fontsize=9)
        axes[0].set_ylabel("true effect of being listed on staying,\npercentage points", fontsize=9)
        if drawn is not None:
            bar = figure.colorbar(drawn, ax=axes, shrink=0.9, format=FuncFormatter(tick))
            bar.set_label("subscribers, all replicates", fontsize=9)

    words = (f"A panel an offer, scenario {scenario}: in shades, how many subscribers have which true risk and which "
             f"true effect of being listed. Above {100 * EFFECT_THRESHOLD:g} points of effect are the persuadable, "
             f"below {-100 * EFFECT_THRESHOLD:g} the sleeping dogs, whom an offer drives away; between them the lost "
             f"causes from a risk of {100 * RISK_THRESHOLD:g} % on, and the sure things. Who lies beyond the picture "
             "is drawn at its edge. The highest risks are not the largest effects.")
    return make_picture("four_kinds", title, words, draw, height=1.4 + _height(offers))


def _draw_grid(ax: Axes, rows: pd.DataFrame, most: float) -> ScalarMappable:
    risk = np.unique(np.round(np.append(rows["risk_from"], rows["risk_to"]), 6))
    effect = np.unique(np.round(np.append(rows["effect_from"], rows["effect_to"]), 6))
    counts = np.zeros((len(effect) - 1, len(risk) - 1))
    at = (np.searchsorted(effect, np.round(rows["effect_from"], 6)),
          np.searchsorted(risk, np.round(rows["risk_from"], 6)))
    np.add.at(counts, at, rows["subscribers"].to_numpy())
    drawn = ax.pcolormesh(100.0 * risk, 100.0 * effect, np.ma.masked_equal(counts, 0.0), cmap="Greys",
                          norm=LogNorm(0.5, most))
    for level in (EFFECT_THRESHOLD, -EFFECT_THRESHOLD):
        ax.axhline(100.0 * level, color=STYLES[1][0], linewidth=1.0)
    ax.plot([100.0 * RISK_THRESHOLD] * 2, [-100.0 * EFFECT_THRESHOLD, 100.0 * EFFECT_THRESHOLD], color=STYLES[1][0],
            linewidth=1.0)
    ax.set_xlim(0.0, 100.0)
    return drawn


def _name_kinds(ax: Axes, rows: pd.DataFrame) -> None:
    """Write the share of each kind into a corner of the panel."""
    counts = rows.groupby("kind", sort=False)["subscribers"].sum()
    shares = counts / max(counts.sum(), 1)
    text = "\n".join(f"{words}: {percent(float(shares.get(kind, 0.0)))}" for kind, words in KIND_WORDS.items())
    ax.annotate(text, (0.98, 0.98), xycoords="axes fraction", ha="right", va="top", fontsize=8,
                bbox={"facecolor": "white", "edgecolor": GRID, "pad": 2.5})


def _looks(names: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    return dict(zip(map(str, names), cycle(STYLES), strict=False))


def _panels(figure: Figure, offers: Sequence[str], *, sharey: bool = False) -> list[Axes]:
    """Return an axes for each offer, in rows of at most three."""
    columns = min(len(offers), COLUMNS)
    lines = -(-len(offers) // columns)
    axes = figure.subplots(lines, columns, squeeze=False, sharey=sharey).ravel()
    for ax in axes[len(offers):]:
        ax.set_visible(False)
    return list(axes[: len(offers)])


def _height(offers: Sequence[str]) -> float:
    return 0.9 + 3.1 * -(-len(offers) // COLUMNS)


def _look(ax: Axes, offer: str) -> None:
    ax.set_title(str(offer))
    ax.yaxis.set_major_formatter(FuncFormatter(tick))
    ax.grid(color=GRID, linewidth=0.6)
    ax.axhline(0.0, color="black", linewidth=0.6)
