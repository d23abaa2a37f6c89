"""Scratch columns of the default lifecycle: what a month shows to drivers and observers, beside the state."""

from __future__ import annotations

from churnsim.core.columns import Column, Schema
from churnsim.population.columns import SCHEMA


def _month(name: str, dtype: str, unit: str, owner: str, meaning: str) -> Column:
    return Column(name, dtype, unit, "latent", f"lifecycle.{owner}", meaning, scope="month")


def _run(name: str, dtype: str, unit: str, owner: str, meaning: str) -> Column:
    return Column(name, dtype, unit, "latent", f"lifecycle.{owner}", meaning, scope="run")


SCRATCH = (
    _month("promotion", "float32", "1", "market", "pull of competitors' promotions on the account"),
    _month("network", "float32", "sd", "market", "network quality of the cell"),
    _month("mended_share", "float32", "1", "market",
           "share of the cell's faults that predictive maintenance mends before they are felt"),
    _month("season", "float32", "1", "market", "cosine over the year"),
    _month("newcomer_promotion", "float32", "1", "market", "strength of the operator's own promotion for new lines"),
    _month("overage_amount", "float32", "amount", "usage", "billed above the fee for data over the allowance"),
    _month("plan_change", "int8", "1", "plan", "1: took a dearer plan this month, -1: a cheaper one, 0 neither"),
    _month("downgraded", "bool", "1", "plan", "moved down a brand tier this month"),
    _month("value_fell", "bool", "1", "plan", "fell from high to low value this month"),
    _month("lines_lost", "int16", "lines", "plan", "lines given up this month"),
    _month("recharged", "bool", "1", "recharge", "made a recharge this month"),
    _month("hotline", "bool", "1", "contacts", "called the hotline this month"),
    _month("shop_visit", "bool", "1", "contacts", "visited a shop this month"),
    _month("surveyed", "bool", "1", "contacts", "answered a survey this month"),
    _month("substituted", "int8", "code", "substitution",
           "apparent cause for which the line was replaced this month, position in the config from 1; 0 none"),
    _month("returned", "bool", "1", "win_back", "came back at the month's start"),
    _month("unowed_prob", "float64", "1", "win_back",
           "probability of being on the network and having come back since the running offer was given"),
    _month("bill_shock", "float32", "log ratio", "usage", "log of the bill over the mean of the three before, 0 to 2"),
    _month("fault", "bool", "1", "service", "felt a fault this month"),
    _month("fault_mended", "bool", "1", "service", "a fault was mended before it was felt this month"),
    _month("complaint", "bool", "1", "service", "complained this month"),
    _month("active", "bool", "1", "billing", "on the network when the month starts"),
    _month("active_prob", "float64", "1", "billing",
           "probability of it, given everything but the clocks of leaving"),
    _month("revenue", "float32", "amount", "billing", "due at the month's start if active, before discounts"),
    _month("cost_to_serve", "float32", "amount", "billing", "due at the month's start if active"),
    _month("discount", "float32", "amount", "billing", "retention discount on the bill, if billed"),
    _month("upkeep", "float32", "amount", "upkeep", "running cost of the offer in effect, if billed"),
    _month("billed", "bool", "1", "billing",
           "discount and upkeep fall due: active, and undecided when the offer was given"),
    _month("billed_prob", "float64", "1", "billing", "probability of it"),
    _month("accepted", "int8", "code", "offers", "offer accepted this month, 0 none"),
    _month("undecided", "bool", "1", "leaving",
           "had not decided to leave at the acceptance, else the contact, else the month's start; of who had left when "
           "the month of a contact began: took an offer that brings back"),
    _month("undecided_prob", "float64", "1", "leaving", "probability of it"),
    _month("hazard", "float32", "1/month", "leaving", "total hazard of leaving at the month's end"),
    _run("cumulated_hazard", "float64", "1", "leaving", "hazard since the start of the run"),
    _run("active_next_prob", "float64", "1", "leaving", "probability to be on the network next month"),
    _run("returned_prob", "float64", "1", "win_back", "probability of having come back and not decided again"),
    _run("returned_next_prob", "float64", "1", "win_back",
         "probability of having come back and being on the network next month"),
    _run("away_mass", "float64", "1", "win_back",
         "probability of being away, weighted by what is left of the chance to come back"),
    _run("leaving_mass", "float64", "1", "win_back", "the same of those who decided and leave next month"),
    _run("lost", "bool", "1", "leaving", "had left when the run started"),
    _run("recalled", "bool", "1", "win_back", "took an offer that brings back: back when the next month starts"),
    _run("recalled_prob", "float64", "1", "win_back", "probability of it, and of not having come back before"),
    _run("unowed", "bool", "1", "win_back", "came back since the running offer was given"),
    _run("unowed_share", "float64", "1", "win_back", "share of it in the probability of having come back"),
    _run("given_time", "float64", "months", "offers",
         "when the running discount or costly offer was given; -inf before the run"),
    _run("given_prob", "float64", "1", "offers", "probability of being undecided then"),
)
LIFECYCLE_SCHEMA = Schema((*SCHEMA.values(), *SCRATCH))
