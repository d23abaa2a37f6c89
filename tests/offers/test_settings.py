from __future__ import annotations

import pytest
from pydantic import ValidationError

from churnsim.offers.settings import Acceptance, Eligibility, Ladder, Offer


def offer(**values):
    return Offer(acceptance={"base_prob": 0.3}, **values)


@pytest.mark.parametrize(("key", "value"), [
    ("discount_share", 1.1), ("discount_months", 121), ("contract_months_added", -1), ("complaint_relief", -0.1),
    ("direct_cost_per_line_amount", -5.0), ("hazard_multipliers", {"price": -1.0}), ("price_change_share", -1.0),
    ("allowance_change_share", -1.0), ("lock_in_months", 121), ("adds", ("fridge",)), ("meets_needs", ("none",)),
    ("ticket_hours_factor", -0.1), ("ladder", {"share_per_year": 0.05}), ("strategy", "luck")])
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        offer(**{key: value})


@pytest.mark.parametrize(("months", "form", "share"), [
    (12, "linear", 0.05), (24, "linear", 0.10), (36, "linear", 0.15), (12, "compounding", 0.05),
    (24, "compounding", 0.0975), (36, "compounding", 0.142625), (30, "linear", 0.10)])
def test_a_ladder_gives_a_discount_for_each_whole_year(months, form, share):
    """1 - 0.95 ** 2 = 0.0975, 1 - 0.95 ** 3 = 0.142625; half a year gives nothing."""
    made = offer(ladder={"share_per_year": 0.05, "form": form}, contract_months_added=months)
    assert made.discount == pytest.approx(share)
    assert made.discounted_bills == months


def test_without_a_ladder_the_discount_is_the_one_named():
    made = offer(discount_share=0.3, discount_months=3, contract_months_added=24)
    assert (made.discount, made.discounted_bills) == (0.3, 3)


@pytest.mark.parametrize("model", [Offer, Eligibility, Acceptance, Ladder])
def test_every_key_is_documented(model):
    assert all(field.description for name, field in model.model_fields.items()
               if name not in ("eligibility", "acceptance"))
