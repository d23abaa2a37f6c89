"""How large a pilot must be: the experiment's own subscribers under every arm, and pilots drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.pilot import Enrolled, contact, enrol
from churnsim.campaign.pilot_outcomes import follow
from churnsim.campaign.settings import RiskList
from churnsim.core.draws import integer_seed, make_key
from churnsim.errors import ConfigError
from churnsim.experiment.load import Loaded
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.treatment import contacts
from churnsim.uplift.power import power_table
from churnsim.uplift.trial import CONTROL

SUBSCRIBERS = 20_000
PILOTS = 2_000
SIZE_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class PilotPower:
    """What pilots of several sizes can find.

    Attributes
    ----------
    table
        A row an offer and size, as :func:`churnsim.uplift.power.power_row` returns it, with ``true_effect_se``, the
        standard error of the true effect, which `subscribers` twins tell.
    subscribers
        Simulated under every arm.
    pilots
        Pilots drawn for each size.
    alpha, power
        Size of the test, and the power asked for.
    """

    table: pd.DataFrame
    experiment: str
    preset: str
    seed: int
    replicate: int
    subscribers: int
    pilots: int
    alpha: float
    power: float
    outcome_months: int


def pilot_power(exp: Loaded, *, sizes: Sequence[int] | None = None, subscribers: int = SUBSCRIBERS,
                pilots: int = PILOTS, alpha: float = 0.05, power: float = 0.8, replicate: int = 0,
                report: Callable[[str], None] | None = None) -> PilotPower:
    """Return the power of the experiment's pilot to detect each offer's true effect on staying, by size.

    Everybody is simulated once under every arm; a pilot is drawn from these twins by the design of section `pilot`,
    without its strata (which make it a little more precise) and its holdout.

    Parameters
    ----------
    exp
        A loaded experiment.
    sizes
        Values of pilot.size; None: a quarter to four times the experiment's.
    subscribers
        Simulated under every arm: more tell the true effect more exactly.
    pilots
        Pilots drawn for each size.
    alpha, power
        Size of the two-sided test; power for the minimum detectable effect and the size needed.
    replicate
        Which replicate, from 0.
    report
        Is told each step.

    Raises
    ------
    ConfigError
        A number out of range; the experiment learns from a past campaign, or couples subscribers.

    Examples
    --------
    >>> found = pilot_power(load("experiments/quickstart.yaml"), sizes=[10_000, 100_000])  # doctest: +SKIP
    >>> found.table[["offer", "size", "true_effect", "power", "size_needed"]]  # doctest: +SKIP
    """
    e = exp.experiment
    chosen = [max(1, round(e.pilot.size * factor)) for factor in SIZE_FACTORS] if sizes is None else list(sizes)
    _require(e.pilot.targeting, chosen, subscribers=subscribers, pilots=pilots, alpha=alpha, power=power)
    pilot = e.pilot.model_copy(update={"size": subscribers})
    world = make_world(e.model_copy(update={"pilot": pilot}), replicate=replicate, folder=exp.folder)
    if world.engine.coupled:
        raise ConfigError(f"driver {world.engine.coupled[0]!r} couples subscribers, who then have no twins; take the "
                          "driver out")
    say = report or (lambda _: None)
    say(f"months before the pilot: {subscribers} subscribers")
    enrolled = enrol(world.pilot_population(), pilot, tries=e.campaign.offers, engine=world.engine, signals=e.signals,
                     channels=e.channels, lost_months=e.campaign.lost_months)
    stayed = np.column_stack([_stayed(world, enrolled, arm, say) for arm in range(len(e.campaign.offers) + 1)])
    key = make_key(seed=e.seed, replicate=replicate, purpose="learner")
    table = power_table(stayed, propensity=enrolled.prob, eligible=enrolled.eligible, offers=e.campaign.offers,
                        sizes=chosen, enrolled_share=len(stayed) / subscribers, pilots=pilots,
                        seed=integer_seed(key), alpha=alpha, power=power)
    change = stayed[:, 1:].astype(np.float64) - stayed[:, :1]
    error = {offer: _mean_error(change[enrolled.eligible[:, k], k]) for k, offer in enumerate(e.campaign.offers)}
    table.insert(list(table.columns).index("true_effect") + 1, "true_effect_se", table["offer"].map(error))
    return PilotPower(table, e.name, e.preset, e.seed, replicate, subscribers, pilots, alpha, power,
                      e.pilot.outcome_months)


def _stayed(world: World, enrolled: Enrolled, arm: int, say: Callable[[str], None]) -> npt.NDArray[np.bool_]:
    """Return who stays if all are given an arm, as far as they may, (n,)."""
    e = world.experiment
    say(f"arm {arm + 1} of {len(e.campaign.offers) + 1}: {(CONTROL, *e.campaign.offers)[arm]}")
    n = len(enrolled.base)
    wave = contact(enrolled, np.full(n, arm), e.pilot, tries=e.campaign.offers, engine=world.engine, signals=e.signals,
                   channels=e.channels, capacity=e.capacity)
    time, accepted = np.full(n, np.inf), np.zeros(n, np.int8)
    time[wave.assignment.row], accepted[wave.assignment.row] = wave.contact_time, wave.accepted
    base = enrolled.base.copy()
    follow(base, contacts(time, accepted), world.engine, e.pilot, rate_annual=0.0, horizon=0)
    return np.asarray(base["departure_time"] > e.pilot.start_month + e.pilot.outcome_months)


def _mean_error(values: npt.NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _require(targeting: object, sizes: Sequence[int], *, subscribers: int, pilots: int, alpha: float, power: float
             ) -> None:
    if isinstance(targeting, RiskList):
        raise ConfigError("pilot.targeting: a past campaign has the size it has; set kind to random to plan a pilot")
    for name, value in (("subscribers", subscribers), ("pilots", pilots), *(("sizes", size) for size in sizes)):
        if value < 1:
            raise ConfigError(f"{name}: must be at least 1 (got {value})")
    for name, share in (("alpha", alpha), ("power", power)):
        if not 0.0 < share < 1.0:
            raise ConfigError(f"{name}: must lie strictly between 0 and 1 (got {share:g})")
