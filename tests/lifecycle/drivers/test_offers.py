"""What the treatment table does to a block, by hand."""

from __future__ import annotations

import numpy as np

from churnsim.lifecycle.block import Month
from churnsim.lifecycle.drivers import offers
from churnsim.lifecycle.treatment import Treatment, contacts, everybody

from ..examples import block_of, draws_of, lifecycle, subscribers
from ..examples import offers as offer_table_of

TABLE = offer_table_of(causes=("price",))
CAMPAIGN = offers.Offers(TABLE, lifecycle().contact)


def test_contacts_are_of_the_first_month_alone():
    block = block_of(subscribers(3))
    block.treatment = contacts(np.array([0.5, np.inf, 0.25]), np.zeros(3, np.int8))
    for month, expected in ((Month(7, first=True), ([0, 2], [0.5, 0.25])), (Month(7), ([], []))):
        rows, times = CAMPAIGN.when(block, month, draws_of(block))
        assert (rows.tolist(), times.tolist()) == expected
    block.treatment = None
    assert len(CAMPAIGN.when(block, Month(7, first=True), draws_of(block))[0]) == 0


def test_the_offer_accepted_stays_on_record_through_a_later_contact():
    """The first contact accepts, the second only meets the subscriber again."""
    block = block_of(subscribers(2))
    code = TABLE.code("contract")
    block.treatment = Treatment(np.array([0, 0, 1]), np.array([0.1, 0.3, 0.2]), np.array([code, 0, 0], np.int8))
    for rows, hits in (([0, 1], [0, 2]), ([0], [1])):
        CAMPAIGN.act(block, np.array(rows), np.array(hits), block.month, draws_of(block))
    assert block["accepted"].tolist() == [code, 0]
    assert block["offer_code"].tolist() == [code, 0]
    assert block["contract_left_months"].tolist() == [13, 0]


def test_when_and_with_what_chance_a_discount_was_given():
    """A contract gives none, nor does a mere contact; after the first month nothing is given."""
    discount, bound = TABLE.code("discount"), TABLE.code("contract")
    block = block_of(subscribers(3), month=7)
    block["given_time"], block["given_prob"], block["undecided_prob"] = -np.inf, 1.0, [0.9, 0.8, 0.7]
    block.treatment = contacts(np.array([0.5, 0.25, 0.75]), np.array([discount, bound, 0], np.int8))
    CAMPAIGN.step(block, Month(7, first=True), draws_of(block))
    for _ in range(2):
        assert block["given_time"].tolist() == [7.5, -np.inf, -np.inf]
        assert block["given_prob"].tolist() == [0.9, 1.0, 1.0]
        block.treatment = everybody(3, contact_time=0.9, accepted=discount)
        CAMPAIGN.step(block, Month(8), draws_of(block))
