from __future__ import annotations

import pytest

from churnsim.offers.checks import check_offers
from churnsim.offers.settings import Offer

CAUSES = ("price", "service")
COVARIATES = ("shopping", "attention")
CHANNELS = ("call", "sms")
ONCE = "stands there twice; name it once"


def offer(*, acceptance=None, **values):
    return Offer(acceptance={"base_prob": 0.3, **(acceptance or {})}, **values)


def findings(**offers):
    return [(".".join(map(str, path)), message) for path, message in
            check_offers(offers, causes=CAUSES, covariates=COVARIATES, channels=CHANNELS)]


def test_full_offers_pass():
    assert findings(
        gift=offer(discount_share=0.3, discount_months=3, effect_months=3, hazard_multipliers={"price": 0.4},
                   acceptance={"coefficients": {"shopping": 0.5}, "channel_factors": {"sms": 0.0}}),
        ladder=offer(ladder={"share_per_year": 0.05, "form": "linear"}, contract_months_added=24),
        back=offer(brings_back=True, eligibility={"states": ("churned",)}),
        card=offer(return_factor=2.0, effect_months=6), manager=offer(monthly_cost_amount=8.0, effect_months=1),
        repair=offer(ticket_hours_factor=0.4, effect_months=1), points=offer(lock_in_amount=5.0, lock_in_months=12),
        bundle=offer(adds=("broadband", "device"), meets_needs=("roaming",)), pause=offer(suspends=True),
        narrow=offer(eligibility={"min_tenure_months": 3, "max_tenure_months": 3, "min_bill_amount": 5.0,
                                  "max_bill_amount": 5.0})) == []


@pytest.mark.parametrize(("values", "key", "message"), [
    ({"hazard_multipliers": {"weather": 0.5}, "effect_months": 1}, "hazard_multipliers.weather",
     "no such cause; lifecycle.causes has price, service"),
    ({"hazard_multipliers": {"price": 0.0}, "effect_months": 1}, "hazard_multipliers.price",
     "must be above 0 (got 0.0); use 0.01 for 'almost never'"),
    ({"hazard_multipliers": {"price": 0.5}}, "effect_months",
     "hazard_multipliers acts for effect_months; set it above 0 (got 0)"),
    ({"monthly_cost_amount": 1.0}, "effect_months",
     "monthly_cost_amount acts for effect_months; set it above 0 (got 0)"),
    ({"ticket_hours_factor": 0.5}, "effect_months",
     "ticket_hours_factor acts for effect_months; set it above 0 (got 0)"),
    ({"return_factor": 2.0}, "effect_months", "return_factor acts for effect_months; set it above 0 (got 0)"),
    ({"effect_months": 4}, "effect_months",
     "nothing lasts so long; give hazard_multipliers, monthly_cost_amount, ticket_hours_factor or return_factor, or "
     "set it to 0 (got 4)"),
    ({"discount_share": 0.3}, "discount_share",
     "a discount needs both discount_share and discount_months above 0 (got 0.3 and 0)"),
    ({"discount_months": 3}, "discount_share",
     "a discount needs both discount_share and discount_months above 0 (got 0.0 and 3)"),
    ({"ladder": {"share_per_year": 0.05, "form": "linear"}}, "ladder",
     "is counted by contract years added; contract_months_added must be at least 12 (got 0)"),
    ({"ladder": {"share_per_year": 0.05, "form": "linear"}, "contract_months_added": 12, "discount_share": 0.1},
     "ladder", "gives the discount; take discount_share and discount_months out"),
    ({"ladder": {"share_per_year": 0.05, "form": "linear"}, "contract_months_added": 12, "discount_months": 2},
     "ladder", "gives the discount; take discount_share and discount_months out"),
    ({"ladder": {"share_per_year": 0.6, "form": "linear"}, "contract_months_added": 24}, "ladder.share_per_year",
     "the discount of 2 years is above the fee (1.2 of it); lower it or use the compounding form"),
    ({"ladder": {"share_per_year": 0.0, "form": "linear"}, "contract_months_added": 24}, "ladder.share_per_year",
     "gives no discount; raise it or take ladder out"),
    ({"lock_in_amount": 20.0}, "lock_in_amount",
     "a lock-in needs both lock_in_amount and lock_in_months above 0 (got 20.0 and 0)"),
    ({"lock_in_months": 2}, "lock_in_amount",
     "a lock-in needs both lock_in_amount and lock_in_months above 0 (got 0.0 and 2)"),
    ({"adds": ("device", "device")}, "adds.1", f"'device' {ONCE}"),
    ({"meets_needs": ("roaming", "night_data", "roaming")}, "meets_needs.2", f"'roaming' {ONCE}"),
    ({"adds": ("broadband",), "eligibility": {"needs_broadband": True}}, "eligibility.needs_broadband",
     "who is eligible has what `adds` gives; take one of the two out"),
    ({"suspends": True, "eligibility": {"states": ("suspended",)}}, "suspends",
     "who is eligible is suspended already; widen eligibility.states or set it to false"),
    ({"brings_back": True}, "brings_back",
     "is for those who have left; eligibility.states must be [churned] (got [entry, growth, stable, decline, "
     "suspended])"),
    ({"brings_back": True, "eligibility": {"states": ("churned", "entry")}}, "brings_back",
     "is for those who have left; eligibility.states must be [churned] (got [churned, entry])"),
    ({"eligibility": {"states": ("stable", "churned")}}, "eligibility.states",
     "those who have left can only be offered to come back; set brings_back: true or take churned out"),
    ({"eligibility": {"min_tenure_months": 7, "max_tenure_months": 6}}, "eligibility.min_tenure_months",
     "nobody is eligible; it must be at most max_tenure_months (6) (got 7)"),
    ({"eligibility": {"min_bill_amount": 7.0, "max_bill_amount": 6.0}}, "eligibility.min_bill_amount",
     "nobody is eligible; it must be at most max_bill_amount (6.0) (got 7.0)"),
    *[({"eligibility": {name: ()}}, f"eligibility.{name}", "nobody is eligible; name at least one")
      for name in ("customer_types", "payments", "usage_scenarios", "states", "brand_tiers", "localities")],
    ({"eligibility": {"payments": ("prepaid", "prepaid")}}, "eligibility.payments.1", f"'prepaid' {ONCE}"),
    ({"acceptance": {"coefficients": {"mood": 1.0}}}, "acceptance.coefficients.mood",
     "no such covariate; there are shopping, attention"),
    ({"acceptance": {"channel_factors": {"fax": 1.0}}}, "acceptance.channel_factors.fax",
     "no channel 'fax'; there are call, sms"),
    ({"acceptance": {"base_prob": 0.0}}, "acceptance.base_prob", "must lie strictly between 0 and 1 (got 0.0)"),
    ({"acceptance": {"base_prob": 1.0}}, "acceptance.base_prob", "must lie strictly between 0 and 1 (got 1.0)"),
    ({"acceptance": {"withdrawal_prob": 1.0}}, "acceptance.withdrawal_prob",
     "nobody keeps the offer; it must be below 1 (got 1.0)"),
])
def test_findings_name_the_key_and_the_remedy(values, key, message):
    assert findings(fine=offer(), gift=offer(**values)) == [(f"offers.gift.{key}", message)]


def test_codes_fit_their_column():
    many = {f"offer{k}": offer() for k in range(101)}
    assert findings(**many) == [("offers", "at most 100 offers (got 101); take some out")]
