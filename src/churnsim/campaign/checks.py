"""What a single value cannot show: shares, strata and targeting of a pilot that do not fit each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from churnsim.campaign.settings import STRATA, PilotSettings, RiskList, StratumShares
from churnsim.config.messages import did_you_mean
from churnsim.config.paths import KeyPath
from churnsim.uplift.settings import UpliftSettings

Finding = tuple[KeyPath, str]
CONTROL = "control"
AT = "pilot"
# Shares may miss 1 by the rounding of their sum.
ROUNDING = 1e-9


def check_pilot(pilot: PilotSettings, uplift: UpliftSettings, *, offers: Sequence[str], regions: int
                ) -> Iterator[Finding]:
    """Yield what cannot be assigned as described, as (key path, what was found and the remedy).

    Parameters
    ----------
    uplift
        What is learned from the pilot.
    offers
        Names of the offers that the pilot tries.
    regions
        How many regions there are.
    """
    if CONTROL in offers:
        yield (("campaign", "offers"), f"{CONTROL!r} is the name of the pilot's arm without an offer; rename the offer")
    if pilot.shares is not None:
        yield from _check_shares((AT, "shares"), pilot.shares, offers)
    for k, name in enumerate(pilot.strata):
        if name not in STRATA:
            yield ((AT, "strata", k), f"no column {name!r} to stratify by; there are {', '.join(STRATA)}"
                   f"{did_you_mean(name, STRATA)}")
        elif name in pilot.strata[:k]:
            yield (AT, "strata", k), f"{name!r} stands there twice; name it once"
    for k, other in enumerate(pilot.stratum_shares):
        yield from _check_stratum((AT, "stratum_shares", k), other, pilot, offers, regions)
    yield from _check_targeting(pilot, uplift)


def _check_shares(at: KeyPath, shares: Mapping[str, float], offers: Sequence[str]) -> Iterator[Finding]:
    arms = (CONTROL, *offers)
    for name in shares:
        if name not in arms:
            yield (*at, name), f"no arm {name!r}; there are {', '.join(arms)}{did_you_mean(name, arms)}"
    for name in arms:
        if name not in shares:
            yield at, f"arm {name!r} is missing; give each of {', '.join(arms)} a share above 0"
        elif shares[name] <= 0.0:
            remedy = ("offers are compared with control; raise it" if name == CONTROL
                      else "raise it, or take the offer out of campaign.offers")
            yield (*at, name), f"must be above 0 (got {shares[name]:g}): {remedy}"
    total = math.fsum(shares.values())
    if abs(total - 1.0) > ROUNDING:
        yield at, f"the shares sum to {total:.6g}; they must sum to 1"


def _check_stratum(at: KeyPath, other: StratumShares, pilot: PilotSettings, offers: Sequence[str], regions: int
                   ) -> Iterator[Finding]:
    from churnsim.campaign.pilot_design import labels_of

    yield from _check_shares((*at, "shares"), other.shares, offers)
    for name, value in other.where.items():
        path = (*at, "where", name)
        if name not in pilot.strata:
            yield path, f"{name!r} is not among pilot.strata ({', '.join(pilot.strata) or 'none'}); add it there"
        elif name in STRATA:
            labels = labels_of(name) or tuple(map(str, range(regions)))
            if str(value) not in labels:
                yield path, f"no group {value!r}; there are {', '.join(labels)}{did_you_mean(str(value), labels)}"


def _check_targeting(pilot: PilotSettings, uplift: UpliftSettings) -> Iterator[Finding]:
    rule = pilot.targeting
    if not isinstance(rule, RiskList):
        return
    if pilot.strata:
        yield ((AT, "strata"), "a past campaign (pilot.targeting) was not drawn in strata; set one of the two to its "
               "default")
    if pilot.start_month < 2:
        yield ((AT, "start_month"), "must be at least 2 for a list by risk: its churn model is fitted on the month "
               f"before (got {pilot.start_month})")
    if rule.logged == "reached" and uplift.reach == "learned":
        yield (("uplift", "reach"), "a log of those reached (pilot.targeting.logged) does not show who was not; use "
               "planned, or log all")
