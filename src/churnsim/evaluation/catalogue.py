"""What each offer of the catalogue does to those it may be given to: expected effects, by cause and year."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.clock import MONTHS_PER_YEAR, discount_factor
from churnsim.core.columns import Subscribers
from churnsim.lifecycle.block import Block, Float64
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.leaving import Watch
from churnsim.lifecycle.treatment import Treatment, everybody

Rows = npt.NDArray[np.int64]
CONTACT = "contact"
# An effect below it is the rounding of sums of probabilities.
NO_EFFECT = 1e-9
CAUSE = "leaving_by_"


@dataclass(frozen=True)
class Candidates:
    """Those to whom an offer is made.

    Attributes
    ----------
    rows
        (m,) positions in the base, ascending.
    accept
        (m,) probability to accept.
    """

    rows: Rows
    accept: Float64


@dataclass(frozen=True)
class _Lives:
    """Expected lives of some subscribers by year, mean over futures; years first.

    Attributes
    ----------
    active
        (years, m) probability to be on the network at the end of the year.
    margin, cost
        (years, m) discounted margin, and offer cost, until then.
    cost_to_stayers
        (years, m) the part of the cost on who would be there at the end of the year without the offer.
    leaving
        (years, causes, m) probability to have resolved to leave by each cause.
    """

    active: Float64
    margin: Float64
    cost: Float64
    cost_to_stayers: Float64
    leaving: Float64


def offer_effects(base: Subscribers, engines: Callable[[Watch], Sequence[Lifecycle]], *,
                  candidates: Mapping[str, Candidates], years: int, month: int, contact_time: float,
                  rate_annual: float) -> pd.DataFrame:
    """Return what contacts and accepted offers do to those to whom they are made.

    Everybody lives each future once without contact; those of each offer live it again, contacted at
    `contact_time` of `month` and accepting. The clocks of leaving are integrated out.

    Parameters
    ----------
    base
        Start state of `month`; not changed.
    engines
        ``engines(watch)`` makes an engine of each future, which tells `watch` who leaves for what.
    candidates
        Offer -> those to whom it is made; ``contact``: a contact after which nothing is accepted.
    years
        Horizon.

    Returns
    -------
    DataFrame
        A row an offer and year, amounts discounted to the start of `month`, contact cost not included:

        * `offer`, `year`, `eligible`, `accept_prob` (mean).
        * `effect_on_staying`: mean change, among the eligible, of the probability to be on the network at the year's
          end by accepting; `effect_standard_error`, over subscribers; `negative_share`, of those for whom it is
          below 0.
        * `cost_per_acceptor`, `net_value_per_acceptor` (change of margin less offer cost): means among those who
          accept, that is weighted by the probability; `cost_to_stayers_share` of the cost goes to who would be there
          at the year's end anyway.
        * ``leaving_by_<cause>``: mean change, among the eligible, of the probability to have resolved to leave by
          this cause. A cause that the offer leaves alone gains from what others lose. With returns and notice, they
          do not add up to the effect on staying.
    """
    run = _Runner(base, engines, years=years, month=month, contact_time=contact_time, rate_annual=rate_annual)
    without = run.lives(np.arange(len(base)), None)
    causes = run.causes
    rows = []
    for name, made in candidates.items():
        reference = _Lives(without.active[:, made.rows], without.margin[:, made.rows], without.cost[:, made.rows],
                           without.cost_to_stayers[:, made.rows], without.leaving[..., made.rows])
        lives = run.lives(made.rows, name, stayers=reference.active)
        rows += [_row(name, year, made, lives, reference, causes) for year in range(years)]
    return pd.DataFrame(rows)


def _row(name: str, year: int, made: Candidates, lives: _Lives, reference: _Lives, causes: Sequence[str]
         ) -> dict[str, object]:
    m, total = len(made.rows), float(made.accept.sum())

    def per_acceptor(values: Float64) -> float:
        return float(made.accept @ values) / total if total > 0.0 else np.nan

    effect = lives.active[year] - reference.active[year]
    cost = lives.cost[year] - reference.cost[year]
    to_stayers = lives.cost_to_stayers[year] - reference.cost_to_stayers[year]
    spent = float(made.accept @ cost)
    value = lives.margin[year] - reference.margin[year] - cost
    changes = lives.leaving[year] - reference.leaving[year]
    return {
        "offer": name, "year": year + 1, "eligible": m, "accept_prob": float(made.accept.mean()) if m else np.nan,
        "effect_on_staying": float(effect.mean()) if m else np.nan,
        "effect_standard_error": float(effect.std(ddof=1) / np.sqrt(m)) if m > 1 else np.nan,
        "negative_share": float((effect < -NO_EFFECT).mean()) if m else np.nan,
        "cost_per_acceptor": per_acceptor(cost),
        "cost_to_stayers_share": float(made.accept @ to_stayers) / spent if spent > 0.0 else np.nan,
        "net_value_per_acceptor": per_acceptor(value),
        **{f"{CAUSE}{cause}": float(changes[k].mean()) if m else np.nan for k, cause in enumerate(causes)},
    }


class _Runner:
    """Lets the futures pass for some of a base, accepting something or not contacted."""

    def __init__(self, base: Subscribers, engines: Callable[[Watch], Sequence[Lifecycle]], *, years: int, month: int,
                 contact_time: float, rate_annual: float) -> None:
        self.base = base
        self.years, self.month, self.contact_time, self.rate = years, month, contact_time, rate_annual
        self.engines = engines(self._watch)
        self.causes = self.engines[0].competing
        self._leaving = np.zeros((0, 0))

    def _watch(self, block: Block, leaving: Float64) -> None:
        self._leaving[:, block.low:block.high] += leaving

    def lives(self, rows: Rows, offer: str | None, *, stayers: Float64 | None = None) -> _Lives:
        """Return expected lives of `rows` until the end of each year, mean over the futures.

        Parameters
        ----------
        offer
            Accepted by all; "contact" for none accepted; None: nobody is contacted.
        stayers
            (years, m) probability to be there without the offer.
        """
        sums = [self._one(engine, rows, offer, stayers) for engine in self.engines]
        return _Lives(*(np.mean([getattr(one, name) for one in sums], axis=0)
                        for name in ("active", "margin", "cost", "cost_to_stayers", "leaving")))

    def _one(self, engine: Lifecycle, rows: Rows, offer: str | None, stayers: Float64 | None) -> _Lives:
        m, years = len(rows), self.years
        found = _Lives(*(np.zeros(shape) for shape in (*[(years, m)] * 4, (years, len(self.causes), m))))
        self._leaving = np.zeros((len(self.causes), m))
        table = engine.offers

        def watch(block: Block) -> None:
            age = block.month.number - self.month
            year, at = age // MONTHS_PER_YEAR, slice(block.low, block.high)
            if age and age % MONTHS_PER_YEAR == 0:
                found.active[year - 1, at] = block["active_prob"]
            if year == years:
                return
            factor = discount_factor(age, rate_annual=self.rate)
            found.margin[year:, at] += factor * block["active_prob"] * (
                block["revenue"].astype(np.float64) - block["cost_to_serve"])
            running = factor * (block["discount"].astype(np.float64) + block["upkeep"])
            once = factor * table.direct_cost(block["accepted"], block["lines"])
            found.cost[year:, at] += block["billed_prob"] * running + block["undecided_prob"] * once
            if stayers is not None:
                there = stayers[year:, at]
                found.cost_to_stayers[year:, at] += (np.minimum(block["billed_prob"], there) * running
                                                     + np.minimum(block["undecided_prob"], there) * once)
            if (age + 1) % MONTHS_PER_YEAR == 0:
                found.leaving[year, :, at] = self._leaving[:, at]

        engine.run([(self.base.take(rows), self._treatment(table.names, offer, m))], start=self.month,
                   months=MONTHS_PER_YEAR * years + 1, observe=watch, realise=False)
        return found

    def _treatment(self, names: tuple[str, ...], offer: str | None, m: int) -> Treatment | None:
        if offer is None:
            return None
        code = 0 if offer == CONTACT else names.index(offer) + 1
        return everybody(m, contact_time=self.contact_time, accepted=code)
