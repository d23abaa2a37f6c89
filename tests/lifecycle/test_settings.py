from __future__ import annotations

import pytest

from churnsim.lifecycle.covariates import COVARIATES
from churnsim.lifecycle.settings import LOG_ODDS, check_lifecycle

from .examples import LIVELY, constant, lifecycle

NAMES = tuple(COVARIATES)


def findings(**sections):
    found = check_lifecycle(lifecycle(**sections), NAMES)
    return [(".".join(path), message) for path, message in found]


def test_lively_settings_pass():
    assert findings() == []


def test_unknown_covariates_name_those_there_are():
    found = findings(causes={"boredom": {"intercept": -4.0, "coefficients": {"mood": 1.0}}},
                     shopping={"log_odds": {"wealth": 1.0}})
    known = ", ".join(NAMES)
    assert found == [
        ("lifecycle.causes.boredom.coefficients.mood", f"no such covariate; there are {known}"),
        ("lifecycle.shopping.log_odds.wealth", f"no such covariate; there are {known}"),
    ]


def test_unknown_terms_of_complaints():
    assert findings(service={"complaint_log_odds": {"noise": 1.0}}) == [
        ("lifecycle.service.complaint_log_odds.noise",
         "no such term; there are fault, bill_shock, dissatisfaction, service_sensitivity")]


def test_the_number_of_causes():
    assert findings(causes={}) == [("lifecycle.causes", "at least one cause of leaving is needed; add one")]
    many = constant(**{f"cause{k}": 0.01 for k in range(101)})
    assert findings(causes=many) == [("lifecycle.causes", "at most 100 causes (got 101); take some out")]


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
    assert set(type(lifecycle()).model_fields) == set(LIVELY)
