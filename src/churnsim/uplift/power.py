"""What a pilot of a given size can find: its chance to detect the true effect of an offer on staying."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import ConfigError
from churnsim.uplift.scores import minimum_detectable_effect

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ArmCells:
    """The cells into which a pilot's subscribers fall for one offer: chances of assignment, arm, stayed or left.

    Attributes
    ----------
    share
        (G, 2, 2) share of all subscribers in each cell: group of equal chances, control or offer, left or stayed.
    weight
        (G, 2) one over the chance of the arm among the two, by which the cells are weighted.
    """

    share: Float64
    weight: Float64


def arm_cells(stayed: Flags, *, propensity: Float64, eligible: Flags) -> ArmCells:
    """Return the cells of one offer.

    Parameters
    ----------
    stayed
        (n, 2) whether each would stay in control, and if offered: twins of one subscriber.
    propensity
        (n, 2) chance of control and of the offer.
    eligible
        (n,) who could be given the offer; the others tell nothing about it.
    """
    rows = np.flatnonzero(eligible & (propensity > 0.0).all(axis=1))
    groups, group = np.unique(propensity[rows], axis=0, return_inverse=True)
    group = group.ravel()
    share = np.zeros((len(groups), 2, 2))
    for arm in range(2):
        for outcome in range(2):
            some = stayed[rows, arm] == bool(outcome)
            share[:, arm, outcome] = groups[:, arm] * np.bincount(group[some], minlength=len(groups)) / len(stayed)
    return ArmCells(share, groups.sum(axis=1, keepdims=True) / groups)


def simulate_pilots(cells: ArmCells, *, size: int, pilots: int, seed: int) -> tuple[Int64, Float64, Float64]:
    """Draw pilots of `size` subscribers, and return events, estimates and standard errors.

    Subscribers are drawn with replacement and assigned by their chances, so that the counts of the cells are
    multinomial. The estimate is the difference of the arms' weighted means (Hajek), with the standard error of its
    influence function; with equal chances for all, the difference of two shares.

    Parameters
    ----------
    size
        Subscribers of a pilot, those who tell nothing about the offer included.
    pilots
        How many.

    Returns
    -------
    tuple
        (pilots, 2, 2) counts by arm (control, offer) and outcome (left, stayed); (pilots,) estimated effects on staying
        and (pilots,) their standard errors, infinite where an arm is empty.
    """
    flat = cells.share.ravel()
    chances = np.append(flat, max(0.0, 1.0 - flat.sum()))
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(size, chances / chances.sum(), size=pilots)[:, :-1].reshape(pilots, *cells.share.shape)
    weight = cells.weight[None, :, :, None]
    total = (counts * weight).sum(axis=(1, 3))
    nobody = (total == 0.0).any(axis=1)
    total[nobody] = 1.0
    mean = (counts * weight)[..., 1].sum(axis=1) / total
    residual = np.stack([mean, 1.0 - mean], axis=-1)[:, None]
    variance = (counts * weight**2 * residual**2).sum(axis=(1, 3)) / total**2
    error = np.where(nobody, np.inf, np.sqrt(variance.sum(axis=1)))
    return counts.sum(axis=1).astype(np.int64), mean[:, 1] - mean[:, 0], error


def power_row(cells: ArmCells, *, size: int, pilots: int, seed: int, alpha: float, power: float) -> dict[str, object]:
    """Return what pilots of a size tell about one offer.

    Returns
    -------
    dict
        ``size``; on average ``n_offer``, ``n_control`` and the ``left_offer``, ``left_control`` of them;
        ``true_effect`` on staying of being assigned; ``minimum_detectable_effect`` at `alpha` and `power`;
        ``power``, the share of the simulated pilots that find an effect of the true sign, with its 95 % interval
        (Wilson 1927, doi 10.1080/01621459.1927.10502953) ``power_low``, ``power_high``; ``size_needed``, the size at
        which `power` is reached by formula, infinite for an effect of 0.
    """
    counts, effect, error = simulate_pilots(cells, size=size, pilots=pilots, seed=seed)
    true, left = true_effect(cells), counts[:, :, 0].mean(axis=0)
    n_control, n_offer = counts.sum(axis=2).mean(axis=0)
    critical = NormalDist().inv_cdf(1.0 - alpha / 2.0)
    found = int(((np.abs(effect) > critical * error) & (np.sign(effect) == np.sign(true))).sum())
    low, high = wilson_interval(found, pilots)
    gone = left.sum() / max(n_control + n_offer, 1.0)
    mde = minimum_detectable_effect(float(np.sqrt(gone * (1.0 - gone))), n_arm=max(round(n_offer), 1),
                                    n_control=max(round(n_control), 1), alpha=alpha, power=power)
    return {"size": size, "n_offer": float(n_offer), "n_control": float(n_control), "left_offer": float(left[1]),
            "left_control": float(left[0]), "true_effect": true, "minimum_detectable_effect": mde,
            "power": found / pilots, "power_low": low, "power_high": high,
            "size_needed": size_needed(cells, alpha=alpha, power=power)}


def true_effect(cells: ArmCells) -> float:
    """Return the mean effect of assignment on staying over those who may be assigned."""
    worth = cells.share * cells.weight[:, :, None]
    means = worth[..., 1].sum(axis=0) / worth.sum(axis=(0, 2))
    return float(means[1] - means[0])


def size_needed(cells: ArmCells, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return how many subscribers a pilot needs to detect the true effect.

    ``(z_{1 - alpha/2} + z_power)^2 v / effect^2`` with v the variance of the weighted difference for a pilot of one,
    that is, with equal chances, ``p1 (1 - p1) / share of the offer's arm + p0 (1 - p0) / share of control``.

    Raises
    ------
    ConfigError
        `alpha` or `power` is not inside (0, 1).
    """
    if not (0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        raise ConfigError(f"alpha is {alpha:g} and power {power:g}; give both inside (0, 1)")
    worth = cells.share * cells.weight[:, :, None]
    total = worth.sum(axis=(0, 2))
    mean = worth[..., 1].sum(axis=0) / total
    residual = np.stack([mean, 1.0 - mean], axis=-1)[None]
    variance = (cells.share * cells.weight[:, :, None] ** 2 * residual**2).sum(axis=(0, 2)) / total**2
    effect, z = float(mean[1] - mean[0]), NormalDist().inv_cdf
    if effect == 0.0:
        return float("inf")
    return float((z(1.0 - alpha / 2.0) + z(power)) ** 2 * variance.sum() / effect**2)


def wilson_interval(found: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share of which `found` of `trials` were seen.

    >>> [round(end, 3) for end in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    share = found / trials
    middle = share + z * z / (2 * trials)
    reach = z * np.sqrt(share * (1.0 - share) / trials + z * z / (4 * trials * trials))
    scale = 1.0 + z * z / trials
    return max(0.0, float((middle - reach) / scale)), min(1.0, float((middle + reach) / scale))


def power_table(stayed: Flags, *, propensity: Float64, eligible: Flags, offers: tuple[str, ...], sizes: list[int],
                enrolled_share: float, pilots: int, seed: int, alpha: float, power: float) -> pd.DataFrame:
    """Return :func:`power_row` for every offer and size, a row each.

    Parameters
    ----------
    stayed
        (n, K + 1) whether each enrolled subscriber would stay in control and with each offer.
    propensity
        (n, K + 1) chance of each arm.
    eligible
        (n, K).
    enrolled_share
        Share of a pilot's subscribers who can be enrolled: on the network, contactable, with consent.
    """
    rows: list[dict[str, object]] = []
    for k, offer in enumerate(offers, start=1):
        cells = arm_cells(stayed[:, [0, k]], propensity=propensity[:, [0, k]], eligible=eligible[:, k - 1])
        cells = ArmCells(cells.share * enrolled_share, cells.weight)
        if not cells.share.any():
            continue
        rows += [{"offer": offer} | power_row(cells, size=size, pilots=pilots, seed=seed + k, alpha=alpha, power=power)
                 for size in sizes]
    return pd.DataFrame(rows)
