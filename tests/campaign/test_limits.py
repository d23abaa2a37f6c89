"""Holdout, cool-off and segments of a campaign: who may be listed, and which findings there are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_world import load_small, small_world

from churnsim.campaign.limits import check_limits, may_be_listed, segment_limits, segment_of
from churnsim.campaign.settings import CampaignLimits
from churnsim.config.paths import dotted
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.errors import ConfigError
from churnsim.policy.choices import Segment
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed, observe

KEY = make_key(seed=3, replicate=0)


def limits(**plain: object) -> CampaignLimits:
    return CampaignLimits.model_validate_json(json.dumps(plain))


def table(n: int, **columns: object) -> Observed:
    base = Subscribers.empty(SCHEMA, np.arange(n))
    base["months_since_offer"] = 127
    for name, values in columns.items():
        base[name] = values
    return Observed(base, 8)


def test_the_holdout_is_a_share_drawn_for_each_id() -> None:
    n, share = 20_000, 0.2
    free = may_be_listed(table(n), limits(holdout_share=share), key=KEY)
    # Five standard errors: once in 1.7 million.
    assert abs((~free).mean() - share) < 5 * np.sqrt(share * (1 - share) / n)
    some = table(n).take(np.arange(100, 300))
    assert (may_be_listed(Observed(some, 8), limits(holdout_share=share), key=KEY) == free[100:300]).all()
    other = may_be_listed(table(n), limits(holdout_share=share), key=make_key(seed=4, replicate=0))
    assert (other != free).any() and may_be_listed(table(n), limits(), key=KEY).all()
    # A larger holdout holds everybody of a smaller one.
    assert not may_be_listed(table(n), limits(holdout_share=0.5), key=KEY)[~free].any()


def test_cool_off_counts_months_since_the_last_accepted_offer() -> None:
    lately = table(5, months_since_offer=[0, 2, 3, 4, 127])
    assert may_be_listed(lately, limits(cool_off_months=3), key=KEY).tolist() == [False, False, True, True, True]
    assert may_be_listed(lately, limits(), key=KEY).all()


def test_a_subscriber_is_in_the_first_segment_that_fits() -> None:
    known = table(4, customer_type=[0, 1, 1, 2], payment=[0, 0, 1, 1], region=[3, 3, 4, 4])
    types, payments = SCHEMA["customer_type"].categories, SCHEMA["payment"].categories
    found = limits(segments={"a": {"by": {"customer_type": types[1], "payment": payments[1]}, "least": 2, "most": 9},
                             "b": {"by": {"customer_type": types[1]}}, "c": {"by": {"region": "4"}, "most": 5}})
    assert segment_of(known, found).tolist() == [-1, 1, 0, 2]
    assert segment_limits(found) == (Segment("a", 2, 9), Segment("b"), Segment("c", 0, 5))
    assert segment_of(known, limits()).tolist() == [-1] * 4


@pytest.mark.parametrize(("segment", "at", "message"), [
    ({"by": {}}, "by", "name at least one column and its value"),
    ({"by": {"customer_typ": "family"}}, "by.customer_typ", "no such column; .* Did you mean 'customer_type'"),
    ({"by": {"customer_type": "famly"}}, "by.customer_type",
     "no customer_type 'famly'; there are .* Did you mean 'family'?"),
    ({"by": {"region": "north"}}, "by.region", "no region 'north'; give its number"),
    ({"by": {"region": "1"}, "least": 5, "most": 4}, "most", r"must be at least least \(5; got 4\)"),
])
def test_segments_that_cannot_be_are_named(segment: dict[str, object], at: str, message: str) -> None:
    ((path, text),) = check_limits(limits(segments={"mine": segment}))
    assert dotted(path) == f"campaign.limits.segments.mine.{at}"
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(text)
    with pytest.raises(ConfigError, match=message):
        load_small(f"campaign.limits.segments.mine={json.dumps(segment)}")


def test_nobody_held_out_or_cooling_off_may_be_given_any_arm() -> None:
    """Of the world's plan, that all policies and the truth choose from; the others may be given what they could."""
    free, kept = (small_world(*overrides) for overrides in (
        (), ("campaign.limits.holdout_share=0.25", "campaign.limits.cool_off_months=4")))
    base = free.population()
    base["months_since_offer"][::3] = 2
    seen = observe(base, month=1, settings=free.experiment.signals, key=free.key)
    before, after = free.reach(seen).allowed, kept.reach(seen).allowed
    may = may_be_listed(seen, kept.experiment.campaign.limits, key=kept.key)
    assert 0.1 < may.mean() < 0.7 and before[~may].any()
    assert not after[~may].any() and (after[may] == before[may]).all()
