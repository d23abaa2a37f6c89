"""Word of mouth: by hand, who stays together, and that what it couples is not run in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_world import load_small, small_world

from churnsim.core.columns import Subscribers
from churnsim.errors import ConfigError
from churnsim.experiment.run import run
from churnsim.experiment.stages import fit_models
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.drivers.word_of_mouth import communities, driver
from churnsim.lifecycle.market import make_market
from churnsim.lifecycle.market_settings import WordOfMouth
from churnsim.lifecycle.treatment import nobody
from churnsim.lifecycle.twins import run_twins
from churnsim.population.generate import entrant_ids

from ..examples import CELLS, KEY, REGIONS, block_of, draws_of, lifecycle, market, offers, same, subscribers, varied
from .by_hand import approx

TALK = {"community_size": 4, "unhappy_tells": 2.0, "happy_tells": 1.0, "unhappy_below_points": 50.0,
        "happy_from_points": 80.0, "points_per_tale": 3.0}
ON = "market.word_of_mouth=" + str(TALK).replace("'", "")


def told(base, **changes):
    block = block_of(base, month=7)
    driver(WordOfMouth.model_validate({**TALK, **changes})).step(block, block.month, draws_of(base))
    return base["satisfaction"]


def world(**changes):
    """Return a lifecycle with word of mouth."""
    settings = lifecycle()
    around = make_market(market(), regions=REGIONS, cells_per_region=CELLS, months=30, key=KEY)
    talk = WordOfMouth.model_validate({**TALK, **changes})
    return Lifecycle(settings, around, offers(causes=tuple(settings.causes)), key=KEY, more=[driver(talk)])


def test_tales_of_a_community_by_hand():
    """Of the three others of each, an unhappy one is heard with chance 2/3 and a happy one with 1/3; a tale weighs 3.

    The second community has one unhappy and one happy, the third nobody of either kind.
    """
    base = subscribers(12, satisfaction=[40, 49, 60, 90, 30, 79, 80, 70, 50, 60, 70, 79])
    two, one, happy = 2 * 2 / 3 * 3, 2 / 3 * 3, 1 / 3 * 3
    assert told(base).tolist() == approx([
        40 - one + happy, 49 - one + happy, 60 - two + happy, 90 - two,
        30 + happy, 79 - one + happy, 80 - one, 70 - one + happy, 50, 60, 70, 79])


def test_only_those_on_the_network_next_month_tell_and_hear():
    """Of the first four one has left, of the next one joins later: each hears the tales of two others for sure."""
    base = subscribers(8, satisfaction=40.0, departure_time=[7.5] + [np.inf] * 7, join_month=[0] * 4 + [9, 8, 0, 0])
    assert told(base).tolist() == [40.0, 34.0, 34.0, 34.0, 40.0, 34.0, 34.0, 34.0]


def test_nobody_tells_more_than_there_are():
    alone = subscribers(4, satisfaction=40.0, departure_time=[7.5, 7.5, 7.5, np.inf])
    assert told(alone).tolist() == [40.0] * 4
    assert told(subscribers(4, satisfaction=40.0), unhappy_tells=100.0).tolist() == [40.0 - 3 * 3] * 4


def test_satisfaction_stays_a_score():
    assert told(subscribers(4, satisfaction=40.0), points_per_tale=50.0).tolist() == [0.0] * 4
    assert told(subscribers(4, satisfaction=90.0), points_per_tale=50.0).tolist() == [100.0] * 4


def test_communities_are_neighbours_of_one_cohort():
    ids = np.concatenate([np.arange(9), entrant_ids(6, cohort_month=3), entrant_ids(2, cohort_month=4)])
    numbers = communities(ids, size=5)
    groups = [ids[numbers == number].tolist() for number in dict.fromkeys(numbers.tolist())]
    assert [len(group) for group in groups] == [5, 4, 5, 1, 2]


@pytest.mark.parametrize("block", [1, 7, 50, 64])
def test_blocks_cut_no_community(block):
    ids = np.concatenate([np.arange(203), entrant_ids(61, cohort_month=2), entrant_ids(30, cohort_month=4)])
    whole, cut = varied(ids), varied(ids)
    sizes = []
    world().run([(whole, None)], start=0, months=5)
    world().run([(cut, None)], start=0, months=5, block=block,
                observe=lambda seen: sizes.append(len(seen)) if seen.month.number == 0 else None)
    assert same(whole, cut)
    assert sum(sizes) == len(ids) and max(sizes) <= block + 3 and len(sizes) >= len(ids) // (block + 3)


def test_a_tale_stays_in_its_community_and_acts_from_the_next_month_on():
    """The first of the start's is made unhappy: its own hazard differs at once, its community's in the next month."""
    base = subscribers(40, satisfaction=60.0, usual_satisfaction=60.0)
    other = base.copy()
    other["satisfaction"][0] = 5.0
    hazards = [], []
    for each, seen in zip((base, other), hazards, strict=True):
        world().run([(each, None)], start=7, months=2, observe=lambda block, seen=seen: seen.append(
            block["hazard"].copy()))
    differs = [np.flatnonzero(one != two).tolist() for one, two in zip(*hazards, strict=True)]
    assert differs == [[0], [0, 1, 2, 3]]
    assert np.flatnonzero(base["satisfaction"] != other["satisfaction"]).tolist() == [0, 1, 2, 3]


def test_the_treated_cannot_be_run_alone():
    with pytest.raises(ConfigError, match="driver 'word_of_mouth' couples subscribers: the treated cannot be run again "
                                          "alone; take it out of the engine, or run all subscribers"):
        run_twins(world(), varied(np.arange(8)), [nobody()], start=0, months=1)


def test_a_campaign_of_a_coupled_world_is_refused():
    """A driver of one's own is not seen when the experiment is checked, but before models are fitted."""
    with pytest.raises(ConfigError, match=r"driver 'word_of_mouth' couples subscribers, and a campaign is judged by "
                                          "stepping those it contacts again, alone; take the driver out, or simulate "
                                          r"without simulation\.policy"):
        fit_models(small_world(ON))


def test_partitions_give_what_the_whole_gives():
    made = small_world("market.arrivals_share_monthly=0.05", ON)
    assert "word_of_mouth" in [each.name for each in made.engine.drivers]
    whole = made.population(until=4)
    parts = [made.population(until=4, part=part) for part in ((0, 120), (120, 400), (400, 500))]
    for base in (whole, *parts):
        made.engine.run([(base, None)], start=0, months=6)
    joined = Subscribers.concat(parts)
    assert same(whole.take(np.argsort(whole.ids)), joined.take(np.argsort(joined.ids)))


def test_it_is_off_by_default():
    assert "word_of_mouth" not in [each.name for each in small_world().engine.drivers]


@pytest.mark.parametrize(("more", "message"), [
    (("simulation.partition_size=6",), r"simulation.partition_size: must be a multiple of "
     r"market.word_of_mouth.community_size \(4; got 6\): a community stays in one partition"),
    (("simulation={policy: random, months: 10}",), "simulation.policy: market.word_of_mouth couples subscribers, and a "
     "campaign is judged by stepping those it contacts again, alone; set simulation.policy or market.word_of_mouth to "
     "null"),
    (("market.word_of_mouth.happy_from_points=40.0",), "market.word_of_mouth.happy_from_points: must not be below "
     r"unhappy_below_points \(50.0; got 40.0\)"),
    (("population.table={path: a.csv, mapping: b.yaml}",), "population.size: a subset of a table breaks up the "
     "communities of market.word_of_mouth; remove one of the two")])
def test_what_would_break_communities_is_refused(more, message):
    with pytest.raises(ConfigError, match=message):
        load_small(ON, *more)


def test_a_run_with_policies_is_refused(tmp_path: Path):
    loaded = load_small(extra=f"scenarios: {{talk: {{market: {{word_of_mouth: {str(TALK).replace(chr(39), '')}}}}}}}\n")
    with pytest.raises(ConfigError, match=r"scenario talk: market.word_of_mouth couples subscribers, .*; set "
                                          "market.word_of_mouth to null, or let months pass without a campaign by "
                                          "`churnsim simulate`"):
        run(loaded, out=tmp_path)
