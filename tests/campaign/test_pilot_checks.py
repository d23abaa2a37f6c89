"""Pilots that cannot be assigned as described: each refused with its key, what was found and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from churnsim.campaign.checks import check_pilot
from churnsim.campaign.settings import PilotSettings
from churnsim.config.paths import dotted
from churnsim.uplift.settings import UpliftSettings

OFFERS = ("gift", "call")
SHARES = {"control": 0.5, "gift": 0.25, "call": 0.25}
UPLIFT = UpliftSettings(learners={}, folds=3, shrink=True, min_reach_prob=0.1)
LIST = {"kind": "risk_list", "listed_share": 0.3, "strength": 1.0}


def findings(*, uplift: UpliftSettings = UPLIFT, offers: tuple[str, ...] = OFFERS, **changes: Any) -> dict[str, str]:
    plain = {"size": 100, "start_month": 2, "outcome_months": 6, "control_share": 0.5, "channel": "call", **changes}
    found = check_pilot(PilotSettings.model_validate(plain), uplift, offers=offers, regions=3)
    return {dotted(path): message for path, message in found}


def test_what_can_be_assigned_passes() -> None:
    family = {"where": {"customer_type": "family", "region": 2}, "shares": SHARES}
    assert findings() == findings(shares=SHARES, strata=["customer_type", "region"], stratum_shares=[family]) == {}
    assert findings(targeting=LIST, shares=SHARES, holdout_share=0.2) == {}


@pytest.mark.parametrize(("changes", "path", "message"), [
    ({"shares": {"control": 0.5, "gift": 0.3, "call": 0.3}}, "pilot.shares",
     "the shares sum to 1.1; they must sum to 1"),
    ({"shares": {"control": 0.5, "gift": 0.5, "call": 0.0}}, "pilot.shares.call",
     "must be above 0 (got 0): raise it, or take the offer out of campaign.offers"),
    ({"shares": {"control": 0.0, "gift": 0.5, "call": 0.5}}, "pilot.shares.control",
     "must be above 0 (got 0): offers are compared with control; raise it"),
    ({"shares": {"gift": 0.5, "call": 0.5}}, "pilot.shares",
     "arm 'control' is missing; give each of control, gift, call a share above 0"),
    ({"shares": {**SHARES, "gfit": 0.0}}, "pilot.shares.gfit",
     "no arm 'gfit'; there are control, gift, call. Did you mean 'gift'?"),
    ({"strata": ["customer_typ"]}, "pilot.strata[0]",
     "no column 'customer_typ' to stratify by; there are customer_type, usage_scenario, region, locality, payment, "
     "acquisition_channel, building_access, brand_tier, value_tier, margin_tier. Did you mean 'customer_type'?"),
    ({"strata": ["region", "region"]}, "pilot.strata[1]", "'region' stands there twice; name it once"),
    ({"stratum_shares": [{"where": {"region": 1}, "shares": SHARES}]}, "pilot.stratum_shares[0].where.region",
     "'region' is not among pilot.strata (none); add it there"),
    ({"strata": ["payment"], "stratum_shares": [{"where": {"payment": "prepayd"}, "shares": SHARES}]},
     "pilot.stratum_shares[0].where.payment",
     "no group 'prepayd'; there are postpaid, prepaid. Did you mean 'prepaid'?"),
    ({"strata": ["region"], "stratum_shares": [{"where": {"region": 3}, "shares": SHARES}]},
     "pilot.stratum_shares[0].where.region", "no group 3; there are 0, 1, 2"),
    ({"strata": ["region"],
      "stratum_shares": [{"where": {"region": 1}, "shares": {"control": 0.0, "gift": 0.5, "call": 0.5}}]},
     "pilot.stratum_shares[0].shares.control", "must be above 0 (got 0): offers are compared with control; raise it"),
    ({"targeting": LIST, "strata": ["region"]}, "pilot.strata",
     "a past campaign (pilot.targeting) was not drawn in strata; set one of the two to its default"),
    ({"targeting": LIST, "start_month": 1}, "pilot.start_month",
     "must be at least 2 for a list by risk: its churn model is fitted on the month before (got 1)"),
    ({"targeting": {**LIST, "logged": "reached"}, "uplift": UPLIFT.model_copy(update={"reach": "learned"})},
     "uplift.reach", "a log of those reached (pilot.targeting.logged) does not show who was not; use planned, or log "
     "all"),
    ({"offers": ("gift", "control")}, "campaign.offers",
     "'control' is the name of the pilot's arm without an offer; rename the offer"),
])
def test_what_cannot_is_refused(changes: dict[str, Any], path: str, message: str) -> None:
    assert findings(**changes)[path] == message
