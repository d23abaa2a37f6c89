"""Who accounts are: shares by kind and scenario as configured, and correlations that make sense."""

from __future__ import annotations

import numpy as np
import pytest
from made_base import KINDS, SCENARIOS, TRAITS, N, assert_mean, assert_share, made
from scipy.special import expit, logit

from churnsim.population.categories import CUSTOMER_TYPES, USAGE_SCENARIOS

BASE = made(np.arange(N))
KIND, SCENARIO = BASE["customer_type"], BASE["usage_scenario"]
PREPAID, MIGRANT = BASE["payment"] == 1, BASE["locality"] == 1
STUDENT, GENERAL = (USAGE_SCENARIOS.index(name) for name in ("student", "general"))


@pytest.mark.parametrize(("code", "name"), list(enumerate(CUSTOMER_TYPES)))
def test_kinds_of_account(code, name):
    kind = KINDS[name]
    of_kind = code == KIND
    assert_share(of_kind, kind["share"])
    for scenario, settings in SCENARIOS.items():
        assert_share(SCENARIO[of_kind] == USAGE_SCENARIOS.index(scenario), settings["shares"].get(name, 0.0))
    lines = BASE["lines"][of_kind]
    assert lines.min() == 1
    if kind["lines_mean"] > 1.0:
        assert_mean(lines, kind["lines_mean"])
    # A geometric number of lines from 1, of mean m, is 1 with probability 1 / m.
    assert_share(lines == 1, 1.0 / kind["lines_mean"])
    broadband = BASE["broadband"][of_kind] == 1
    assert_share(broadband, kind["broadband_share"])
    smart = BASE["smart_home"][of_kind] == 1
    assert_share(smart[broadband], kind["smart_home_share"])
    assert not smart[~broadband].any()


def test_places_and_consents():
    for region in range(5):
        assert_share(BASE["region"] == region, 0.2)
    for cell in (0, 19, 20, 99):
        assert_share(BASE["cell"] == cell, 0.01)
    np.testing.assert_array_equal(BASE["cell"] // 20, BASE["region"])
    assert_share(BASE["building_access"] == 1, 0.55)
    for name in ("contactable", "call_consent", "sms_consent", "app_consent"):
        assert_share(BASE[name] == 1, TRAITS[f"{name}_share"])


def test_migrants_are_individuals_more_often_students():
    assert not MIGRANT[KIND > 0].any()
    for scenario, log_odds in ((GENERAL, 0.0), (STUDENT, 1.0)):
        assert_share(MIGRANT[(KIND == 0) & (scenario == SCENARIO)], expit(logit(0.2) + log_odds))


@pytest.mark.parametrize("migrant", [False, True])
@pytest.mark.parametrize(("scenario", "log_odds"), [(GENERAL, 0.0), (STUDENT, 1.2)])
def test_a_migrant_student_pays_in_advance(scenario, log_odds, migrant):
    rows = (KIND == 0) & (scenario == SCENARIO) & (migrant == MIGRANT)
    assert_share(PREPAID[rows], expit(logit(0.3) + log_odds + 0.8 * migrant))


def test_dealers_sell_more_to_migrants_and_prepaid():
    """Odds of a dealer 0.3 : 0.7 double to 0.6 : 0.7."""
    dealer = BASE["acquisition_channel"] == 2
    favoured = PREPAID | MIGRANT
    assert_share(dealer[~favoured], 0.3)
    assert_share(dealer[favoured], 6 / 13)
    assert_share(BASE["acquisition_channel"][favoured] == 0, 5 / 13)


def test_habits_are_ratios_and_the_app_is_for_the_young():
    for name in ("answer_habit", "read_habit"):
        assert_mean(BASE[name], 1.0)
    for scenario in ("general", "student", "voice_led_senior"):
        assert_mean(BASE["app_habit"][USAGE_SCENARIOS.index(scenario) == SCENARIO],
                    SCENARIOS[scenario].get("app_factor", 1.0))


def test_a_known_scenario_tells_the_kind():
    """Bayes: of general accounts 0.6 x 0.5 individuals to 0.1 x 0.3 small enterprises; the rest is as ever."""
    n = 20_000
    ids, known = np.arange(n), np.full(n, float(GENERAL))
    known[0] = np.nan
    base = made(ids, known={"usage_scenario": known})
    assert set(base["customer_type"][1:]) == {0, 2}
    assert_share(base["customer_type"][1:] == 0, 0.3 / 0.33)
    assert (base["customer_type"][0], base["usage_scenario"][0]) == (KIND[0], SCENARIO[0])
    # A scenario that the preset gives to nobody says nothing.
    nobodys = made(ids, known={"usage_scenario": np.full(n, float(USAGE_SCENARIOS.index("health")))})
    np.testing.assert_array_equal(nobodys["customer_type"], KIND[:n])


def test_a_known_smart_home_has_broadband():
    base = made(np.arange(500), known={"smart_home": np.ones(500)})
    assert base["broadband"].all() and base["smart_home"].all()
