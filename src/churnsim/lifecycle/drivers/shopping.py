"""Some months a subscriber looks for another operator: most voluntary leaving falls into them."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import stream
from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.drivers.base import Driver, Month

EVENTS = stream("lifecycle.shopping")


def step(base: Subscribers, month: Month) -> None:
    """Shopping is drawn from its triggers; competitors' advertisements are clicked more while it lasts."""
    s = month.settings.shopping
    u_shop, u_click, _, _ = month.lanes(EVENTS)
    base["shopping"] = u_shop < logistic32(month.sum_of(s.log_odds, base, intercept=logit(s.base_prob)))
    usual = np.where(base["shopping"] == 1, logit(s.ad_click_prob), logit(s.ad_click_prob_otherwise))
    attentive = np.float32(s.ad_click_log_odds_attention) * (base["attention"] - np.float32(0.5))
    click_prob = logistic32(usual + attentive)
    keep = np.float32(month.settings.service.stock_persistence)
    base["ad_click_stock"] = keep * base["ad_click_stock"] + (u_click < click_prob)


DRIVER = Driver("shopping", ("shopping", "ad_click_stock", "attention"), ("shopping", "ad_click_stock"), step)
