"""What an account is like inside: sensitivities, satisfaction, attitude, habit, needs. Only the simulator knows it."""

from __future__ import annotations

import numpy as np
from scipy.special import hyp1f1

from churnsim.population.categories import NEEDS
from churnsim.population.drawing import Drawer, held_inside, lognormal, pick, power
from churnsim.population.lookup import Lookup

SMART_HOME = NEEDS.index("smart_home")
# Inertia is 0 on average for an account of so many years [assumption].
INERTIA_YEARS = 2.0


def draw_latent(draw: Drawer, lookup: Lookup) -> None:
    """Fill the latent columns that price and use do not determine; price sensitivity is there already."""
    base, traits = draw.base, lookup.traits
    scenario = base["usage_scenario"]
    draw.put("service_sensitivity", draw.normal("service_sensitivity"))
    draw.put("technology_sensitivity",
             lookup.by_scenario("technology_sensitivity")[scenario] + draw.normal("technology_sensitivity"))
    draw.put("attention", power(draw.uniform("attention"), traits.attention_mean))
    _draw_responsiveness(draw, lookup)
    content = draw.normal("usual_satisfaction")
    draw.put("usual_satisfaction", np.clip(traits.satisfaction_mean + traits.satisfaction_sd * content, 0.0, 100.0))
    base["satisfaction"] = base["usual_satisfaction"]
    shared = traits.attitude_by_satisfaction
    draw.put("attitude", shared * content + np.sqrt(1.0 - shared**2) * draw.normal("attitude"))
    years = np.log1p(base["tenure_months"] / 12.0) - np.log1p(INERTIA_YEARS)
    draw.put("inertia", traits.inertia_by_tenure * years + draw.normal("inertia"))
    draw.put("residual_need", power(draw.uniform("residual_need"), traits.residual_need_mean))
    draw.put("need", pick(lookup.need_shares(), draw.uniform("need"), scenario))
    need = base["need"]
    has_it = (need == 0) | ((need == SMART_HOME) & (base["smart_home"] == 1))
    draw.put("need_met", has_it | (draw.uniform("need_met") < traits.need_met_share))


def _draw_responsiveness(draw: Drawer, lookup: Lookup) -> None:
    """Fill responsiveness: log-normal given price sensitivity and attention, of mean 1 over all accounts.

    The mean of exp(b s) is that of a mixture of normals over the scenarios; that of exp(c a), with attention a of the
    Beta law of parameters k and 1, is Kummer's function M(k, k + 1, c).
    """
    base, traits = draw.base, lookup.traits
    by_price, by_attention = traits.responsiveness_by_price_sensitivity, traits.responsiveness_by_attention
    weights, means = lookup.scenario_weights(), lookup.by_scenario("price_sensitivity")
    mean = float(weights @ np.exp(by_price * means + 0.5 * by_price**2)) / float(weights.sum())
    attention_mean = held_inside(traits.attention_mean)
    k = attention_mean / (1.0 - attention_mean)
    mean *= float(hyp1f1(k, k + 1.0, by_attention))
    draw.put("responsiveness", lognormal(draw.normal("responsiveness"), traits.responsiveness_log_sd) / mean
             * np.exp(by_price * base["price_sensitivity"] + by_attention * base["attention"]))
