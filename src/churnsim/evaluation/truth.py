"""The truth beside every estimate: the expected effect of each offer and channel on each subscriber.

Averaged over inner draws of the future with the clocks of leaving integrated out, given the full state,
latent columns included. Only this module and the oracle may look at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import discount_factor
from churnsim.core.columns import Subscribers
from churnsim.evaluation.ledger import CHURN_MONTHS
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.treatment import everybody
from churnsim.policy.oracle import TrueEffects

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Responses:
    """Expected worth of each subscriber's future under each treatment, over inner draws.

    Attributes
    ----------
    codes
        Offer code of each row below; the first is 0, a contact without acceptance.
    value
        (draws, rows, n): change against no contact of discounted margin less offer cost.
    staying
        (draws, rows, n): change of the probability to be active `CHURN_MONTHS` later (or in the last month of a
        shorter horizon).
    alone
        (draws, n): that probability without contact.
    """

    codes: tuple[int, ...]
    value: Float64
    staying: Float64
    alone: Float64


def responses(base: Subscribers, engines: Sequence[Lifecycle], settings: EvaluationSettings, *,
              offers: Sequence[str], month: int, contact_time: float, threads: int = 1) -> Responses:
    """Simulate a contact with everybody and acceptance of each offer from `month` on, once under each engine.

    Parameters
    ----------
    base
        Start state of the month; not changed.
    engines
        One for each inner draw, keyed apart from the world's draws.
    offers
        Names of the offers asked for.
    contact_time
        Part of the month gone at the contact.
    """
    codes = _codes(engines[0], offers)
    worth = [_worth(base, engine, settings, codes, month=month, contact_time=contact_time, realise=False,
                    threads=threads) for engine in engines]
    value, staying = (np.stack(arrays) for arrays in zip(*worth, strict=True))
    return Responses(codes, value[:, 1:] - value[:, :1], staying[:, 1:] - staying[:, :1], staying[:, 0])


def _codes(engine: Lifecycle, offers: Sequence[str]) -> tuple[int, ...]:
    return 0, *(engine.offers.code(name) for name in offers)


def realised_responses(base: Subscribers, engine: Lifecycle, settings: EvaluationSettings, *, offers: Sequence[str],
                       month: int, contact_time: float, threads: int = 1) -> Responses:
    """Let every treatment of everybody happen under the world's own draws: what the realised twins differ by.

    The same as :func:`responses` for one future in which subscribers leave or stay: `staying` is -1, 0 or 1. Of
    no use for choosing whom to treat, since nobody knows the future.
    """
    codes = _codes(engine, offers)
    value, staying = _worth(base, engine, settings, codes, month=month, contact_time=contact_time, realise=True,
                            threads=threads)
    return Responses(codes, (value[1:] - value[0])[None], (staying[1:] - staying[0])[None], staying[:1])


def _worth(base: Subscribers, engine: Lifecycle, settings: EvaluationSettings, codes: tuple[int, ...], *, month: int,
           contact_time: float, realise: bool, threads: int) -> tuple[Float64, Float64]:
    """Return discounted margin less offer cost and being active at last, (1 + codes, n): no contact first."""
    offers = engine.offers
    n, arms = len(base), 1 + len(codes)
    value, staying = np.zeros((arms, n)), np.zeros((arms, n))
    last = min(CHURN_MONTHS, settings.horizon_months - 1)
    active, billed, undecided = (name if realise else f"{name}_prob" for name in ("active", "billed", "undecided"))

    def post(block: Block) -> None:
        age = block.month.number - month
        rows = slice(block.low, block.high)
        factor = discount_factor(age, rate_annual=settings.discount_rate_annual)
        margin = block["revenue"].astype(np.float64) - block["cost_to_serve"]
        total = value[block.arm]
        total[rows] += factor * (block[active] * margin - block[billed] * (block["discount"] + block["upkeep"]))
        if age == 0:
            total[rows] -= block[undecided] * offers.direct_cost(block["accepted"], block["lines"])
        if age == last:
            staying[block.arm, rows] = block[active]

    treated = [everybody(n, contact_time=contact_time, accepted=code) for code in codes]
    engine.run([(base.copy(), None), *((base.copy(), t) for t in treated)], start=month,
               months=settings.horizon_months, observe=post, realise=realise, threads=threads)
    return value, staying


def expected_effects(found: Responses, *, offer_code: Sequence[int], accept: Float64, reach: Float64,
                     contact_cost: Float64) -> TrueEffects:
    """Combine responses into effects of being listed.

    effect = reach x (accept x value if accepted + (1 - accept) x value of the mere contact) - contact cost.

    Parameters
    ----------
    offer_code
        Offer code of each arm.
    accept, reach, contact_cost
        (n, arms): true acceptance probability, planned probability of contact, planned contact cost.
    """
    n, arms = accept.shape
    mean, error, staying = np.empty((n, arms)), np.empty((n, arms)), np.empty((n, arms))
    draws = len(found.value)
    for arm, code in enumerate(offer_code):
        a, r = accept[:, arm], reach[:, arm]
        row = found.codes.index(code)
        each = r * (a * found.value[:, row] + (1.0 - a) * found.value[:, 0])
        mean[:, arm] = each.mean(axis=0) - contact_cost[:, arm]
        error[:, arm] = each.std(axis=0, ddof=1) / np.sqrt(draws) if draws > 1 else 0.0
        staying[:, arm] = (r * (a * found.staying[:, row] + (1.0 - a) * found.staying[:, 0])).mean(axis=0)
    return TrueEffects(mean, error, staying)
