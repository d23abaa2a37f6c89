"""The columns of a subscriber (an account): the single source for state, features, tables and documents."""

from __future__ import annotations

from churnsim.core.columns import Column, Schema

CUSTOMER_TYPES = ("individual", "family", "enterprise_small", "enterprise_large")
PAYMENTS = ("postpaid", "prepaid")
LOCALITIES = ("local", "migrant")
STATES = ("prospect", "entry", "growth", "stable", "decline", "suspended", "churned")


def _observed(name: str, dtype: str, unit: str, owner: str, meaning: str, *, categories: tuple[str, ...] = (),
              history: bool = False) -> Column:
    return Column(name, dtype, unit, "observed", owner, meaning, categories, history)


def _latent(name: str, dtype: str, unit: str, owner: str, meaning: str) -> Column:
    return Column(name, dtype, unit, "latent", owner, meaning)


SCHEMA = Schema((
    _observed("customer_type", "int8", "code", "population", "kind of account", categories=CUSTOMER_TYPES),
    _observed("lines", "int16", "lines", "population", "lines on the account"),
    _observed("region", "int8", "region", "population", "sales region, from 0"),
    _observed("locality", "int8", "code", "population", "local or migrant household", categories=LOCALITIES),
    _observed("payment", "int8", "code", "population", "how the account pays", categories=PAYMENTS),
    _observed("contactable", "int8", "1", "population", "1: complete contact details on file"),
    _observed("call_consent", "int8", "1", "population", "1: may be called"),
    _observed("sms_consent", "int8", "1", "population", "1: may be sent messages"),
    _observed("answer_habit", "float32", "ratio", "population",
              "how often the account answers calls, against the average account"),
    _observed("read_habit", "float32", "ratio", "population",
              "how often the account reads messages, against the average account"),
    _observed("plan_price_amount", "float32", "amount", "population",
              "monthly fee of the account, before discounts"),
    _observed("allowance_gb", "float32", "GB", "population", "data included in the plan, a month"),
    _observed("tenure_months", "int16", "months", "lifecycle.tenure", "months since joining"),
    _observed("contract_length_months", "int8", "months", "population", "length of a contract; 0 none"),
    _observed("contract_left_months", "int8", "months", "lifecycle.contract",
              "months until the contract ends; 0 out of contract"),
    _observed("state", "int8", "code", "lifecycle.tenure",
              "lifecycle state; leaving stands in departure_time", categories=STATES),
    _observed("usage_gb", "float32", "GB", "lifecycle.usage", "data used a month, last six months",
              history=True),
    _observed("bill_amount", "float32", "amount", "lifecycle.usage",
              "bill a month before retention discounts, last six months", history=True),
    _observed("complaint_stock", "float32", "complaints", "lifecycle.service",
              "complaints, older ones counting less"),
    _observed("fault_stock", "float32", "faults", "lifecycle.service",
              "faults felt, older ones counting less"),
    _observed("ad_click_stock", "float32", "clicks", "lifecycle.shopping",
              "clicks on competitors' advertisements, older ones counting less"),
    _observed("arrears_months", "int8", "months", "lifecycle.arrears", "bills in arrears"),
    _observed("discount_share", "float32", "1", "offers", "retention discount in force, share of the fee"),
    _observed("discount_left_months", "int8", "months", "offers", "months the discount still runs"),
    _observed("offer_code", "int8", "code", "offers",
              "last accepted offer, position in the config from 1; 0 none"),
    _observed("offer_left_months", "int8", "months", "offers", "months the offer's effect still lasts"),
    _latent("usage_level", "float32", "log GB", "population", "log of the account's usual usage"),
    _latent("usage_deviation", "float32", "log ratio", "lifecycle.usage", "log of usage over usual usage"),
    _latent("price_sensitivity", "float32", "sd", "population", "standardised"),
    _latent("service_sensitivity", "float32", "sd", "population", "standardised"),
    _latent("responsiveness", "float32", "ratio", "population", "strength of every offer's effect, mean 1"),
    _latent("attention", "float32", "1", "population", "attention paid to the market, 0 to 1"),
    _latent("usual_satisfaction", "float32", "points", "population", "level that satisfaction returns to"),
    _latent("satisfaction", "float32", "points", "lifecycle.service", "0 to 100"),
    _latent("shopping", "int8", "1", "lifecycle.shopping", "1: looking for another operator this month"),
    _latent("discount_shock", "float32", "ratio", "offers", "log price step left from a discount that ended"),
    _latent("wake", "float32", "ratio", "offers", "how far a contact has woken an inattentive subscriber"),
    _latent("join_month", "int16", "months", "population",
            "calendar month of joining; below 0 before the start"),
    _latent("cause", "int8", "code", "lifecycle.leaving",
            "cause of leaving, position in the config from 1; 0 none"),
    _latent("decision_time", "float64", "months", "lifecycle.leaving",
            "when the subscriber decided to leave; infinite if never"),
    _latent("departure_time", "float64", "months", "lifecycle.leaving",
            "when the subscriber left; infinite if never"),
))
