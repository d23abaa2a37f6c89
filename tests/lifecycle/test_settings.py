from __future__ import annotations

import pytest

from churnsim.lifecycle.covariates import COVARIATES
from churnsim.lifecycle.settings import LOG_ODDS, check_lifecycle

from .examples import LIVELY, constant, lifecycle

NAMES = tuple(COVARIATES)
# Nothing said of the reasons of causes that a case replaces.
UNSAID = {"stated_reasons": {"given_cause": {}}}


def findings(**sections):
    found = check_lifecycle(lifecycle(**sections), NAMES)
    return [(".".join(path), message) for path, message in found]


def test_lively_settings_pass():
    assert findings() == []


def test_unknown_covariates_name_those_there_are():
    found = findings(**UNSAID, causes={"boredom": {"intercept": -4.0, "coefficients": {"mood": 1.0}}},
                     shopping={"log_odds": {"wealth": 1.0}},
                     plan={"down_log_odds": {"pride": 1.0}}, suspension={"enter_log_odds": {"sun": 1.0}})
    known = ", ".join(NAMES)
    assert found == [
        ("lifecycle.causes.boredom.coefficients.mood", f"no such covariate; there are {known}"),
        ("lifecycle.plan.down_log_odds.pride", f"no such covariate; there are {known}"),
        ("lifecycle.shopping.log_odds.wealth", f"no such covariate; there are {known}"),
        ("lifecycle.suspension.enter_log_odds.sun", f"no such covariate; there are {known}"),
    ]


def test_terms_of_apparent_causes():
    assert findings(**UNSAID, causes={"a": {"intercept": -5.0, "subsidy_amount": 5.0, "newcomer_terms": True}}) == [
        (f"lifecycle.causes.a.{key}", "concerns apparent causes only; set apparent: true or remove it")
        for key in ("subsidy_amount", "newcomer_terms")]


def test_coming_back():
    """A share of 0.3 / (1 - 0.75) = 1.2 can never come back."""
    assert findings(win_back={"return_prob": 0.3, "persistence": 0.75, "cause_factors": {"fate": 1.0}}) == [
        ("lifecycle.win_back.return_prob", "return_prob / (1 - persistence) is the share that ever comes back; it is "
                                           "1.2, make it at most 1"),
        ("lifecycle.win_back.cause_factors.fate", "no such cause of leaving; there are service, price, gone")]


def test_bounds_of_value_and_tickets():
    assert findings(plan={"low_value_amount": 90.0}, service={"ticket": {
        **LIVELY["service"]["ticket"], "network_share": 0.8, "fast_hours": 48.0}}) == [
        ("lifecycle.service.ticket.billing_share",
         "network_share and billing_share add to 1.15; what is left of 1 is about care, so keep the sum at most 1"),
        ("lifecycle.service.ticket.fast_hours", "must not be above slow_hours (24.0; got 48.0)"),
        ("lifecycle.plan.low_value_amount", "must not be above high_value_amount (70.0)")]


def test_stated_reasons():
    given = {"fate": {"price": 1.0}, "price": {"luck": 0.5, "price": 0.4}}
    there = "lifecycle.causes has service, price, gone"
    assert findings(stated_reasons={"given_cause": given}) == [
        ("lifecycle.stated_reasons.given_cause.fate", f"no such cause; {there}"),
        ("lifecycle.stated_reasons.given_cause.price.luck", f"no such reason; {there}"),
        ("lifecycle.stated_reasons.given_cause.price", "shares add to 0.9; make them add to 1")]


def test_unknown_terms_of_complaints_and_calls():
    assert findings(contacts={"hotline_log_odds": {"noise": 1.0}}) == [
        ("lifecycle.contacts.hotline_log_odds.noise", "no such term; there are fault, complaint, bill_shock")]
    assert findings(service={"complaint_log_odds": {"noise": 1.0}}) == [
        ("lifecycle.service.complaint_log_odds.noise",
         "no such term; there are fault, bill_shock, dissatisfaction, service_sensitivity")]


def test_the_number_of_causes():
    needed = [("lifecycle.causes", "at least one cause of leaving that is not apparent is needed; add one")]
    assert findings(**UNSAID, causes={}) == needed
    assert findings(**UNSAID, causes={"rejoin": {"intercept": -5.0, "apparent": True}}) == needed
    many = constant(**{f"cause{k}": 0.01 for k in range(101)})
    assert findings(**UNSAID, causes=many) == [("lifecycle.causes", "at most 100 causes (got 101); take some out")]


@pytest.mark.parametrize(("section", "key"), LOG_ODDS)
@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_probabilities_that_become_log_odds(section, key, prob):
    assert findings(**{section: {key: prob}}) == [
        (f"lifecycle.{section}.{key}", f"must lie strictly between 0 and 1 (got {prob})")]


def test_every_key_is_documented():
    def undocumented(model):
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                yield from undocumented(inner)
            elif not field.description:
                yield name

    assert list(undocumented(type(lifecycle()))) == []
    assert set(type(lifecycle()).model_fields) - {"drivers"} == set(LIVELY)
