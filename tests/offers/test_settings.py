from __future__ import annotations

import pytest
from pydantic import ValidationError

from churnsim.offers.settings import Offer, check_offers

CAUSES = ("price", "service")
COVARIATES = ("shopping", "attention")


def offer(*, base_prob=0.3, coefficients=None, **values):
    return Offer(acceptance={"base_prob": base_prob, "coefficients": coefficients or {}}, **values)


def findings(**offers):
    return [(".".join(path), message) for path, message in
            check_offers(offers, causes=CAUSES, covariates=COVARIATES)]


def test_a_full_offer_passes():
    assert findings(gift=offer(discount_share=0.3, discount_months=3, effect_months=3,
                               hazard_multipliers={"price": 0.4}, coefficients={"shopping": 0.5})) == []


@pytest.mark.parametrize(("values", "key", "message"), [
    ({"hazard_multipliers": {"weather": 0.5}, "effect_months": 1}, "hazard_multipliers.weather",
     "no such cause; lifecycle.causes has price, service"),
    ({"hazard_multipliers": {"price": 0.0}, "effect_months": 1}, "hazard_multipliers.price",
     "must be above 0 (got 0.0); use 0.01 for 'almost never'"),
    ({"hazard_multipliers": {"price": 0.5}}, "effect_months",
     "hazard_multipliers act for effect_months; set it above 0 (got 0)"),
    ({"coefficients": {"mood": 1.0}}, "acceptance.coefficients.mood",
     "no such covariate; there are shopping, attention"),
    ({"discount_share": 0.3}, "discount_share",
     "a discount needs both discount_share and discount_months above 0 (got 0.3 and 0)"),
    ({"discount_months": 3}, "discount_share",
     "a discount needs both discount_share and discount_months above 0 (got 0.0 and 3)"),
    ({"base_prob": 0.0}, "acceptance.base_prob", "must lie strictly between 0 and 1 (got 0.0)"),
    ({"base_prob": 1.0}, "acceptance.base_prob", "must lie strictly between 0 and 1 (got 1.0)"),
])
def test_findings_name_the_key_and_the_remedy(values, key, message):
    assert findings(fine=offer(), gift=offer(**values)) == [(f"offers.gift.{key}", message)]


def test_codes_fit_their_column():
    many = {f"offer{k}": offer() for k in range(101)}
    assert findings(**many) == [("offers", "at most 100 offers (got 101); take some out")]


@pytest.mark.parametrize(("key", "value"), [("discount_share", 1.1), ("discount_months", 121),
                                            ("contract_months_added", -1), ("complaint_relief", -0.1),
                                            ("direct_cost_per_line_amount", -5.0),
                                            ("hazard_multipliers", {"price": -1.0})])
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        offer(**{key: value})


def test_every_key_is_documented():
    assert all(field.description for name, field in Offer.model_fields.items()
               if name not in ("eligibility", "acceptance"))
