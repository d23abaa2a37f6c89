"""Word of mouth: at the month's end subscribers hear from others of their community how content those are.

It couples subscribers: a community must be in one block and one partition, and no part of it can be run alone.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.lifecycle.block import Array, Block, Draws, Ids, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.market_settings import WordOfMouth
from churnsim.population.generate import ENTRANT_SHIFT


def step(settings: WordOfMouth, block: Block, month: Month, draws: Draws) -> None:
    """Each unhappy subscriber tells some others, chosen at random, and each happy one: means, not draws.

    Of a community of m, each of the others of an unhappy one hears its tale with chance min(tells, m - 1) /
    (m - 1). Only those on the network when the next month starts tell and count.
    """
    after = month.number + 1
    here = (block["join_month"] <= after) & (block["departure_time"] > after)
    unhappy = here & (block["satisfaction"] < settings.unhappy_below_points)
    happy = here & (block["satisfaction"] >= settings.happy_from_points)
    community = np.unique(communities(block.ids, size=settings.community_size), return_inverse=True)[1]
    others = np.maximum(np.bincount(community, weights=here)[community] - 1, 1)
    tales = (_heard(community, happy, others, tells=settings.happy_tells)
             - _heard(community, unhappy, others, tells=settings.unhappy_tells))
    moved = block["satisfaction"] + settings.points_per_tale * tales
    block["satisfaction"] = np.where(here, np.clip(moved, 0.0, 100.0), block["satisfaction"])


def _heard(community: Ids, teller: Array, others: Array, *, tells: float) -> Array:
    """Return the mean number of tales that each subscriber hears from tellers other than itself."""
    tellers = np.bincount(community, weights=teller)[community] - teller
    return np.minimum(tells, others) / others * tellers


def communities(ids: Ids, *, size: int) -> Ids:
    """Return numbers of communities: `size` neighbours by id, among joiners of one month by their place in it."""
    cohort = ids >> ENTRANT_SHIFT
    place = ids - (cohort << ENTRANT_SHIFT)
    return np.asarray((cohort << ENTRANT_SHIFT) + place // size)


def driver(settings: WordOfMouth) -> Driver:
    """Return the driver."""
    return Driver("word_of_mouth", partial(step, settings), reads=("satisfaction", "join_month", "departure_time"),
                  writes=("satisfaction",), owns="service", after=("leaving",),
                  together=partial(communities, size=settings.community_size))
