# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Risk is not uplift
#
# *A strategy memo on the quickstart experiment. It reads the results folder and trains nothing: run
# `churnsim run experiments/quickstart.yaml` first, or set `CHURNSIM_RESULTS` to another results folder.*
#
# **Question.** There is money for one retention campaign. Should the list be made of those who are most likely to
# leave, or of those whom an offer moves?

# %%
import json
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

folder = Path(os.environ.get("CHURNSIM_RESULTS", "../results/quickstart"))
summary = json.loads((folder / "summary.json").read_text())
currency = summary["currency"]
policies = pd.read_csv(folder / "tables" / "policies.csv")
base = policies[policies["scenario"] == "base"].set_index("policy")
recommended = summary["recommended_policy"]["base"]
headline = next(p["net_value"]["mean"] for p in summary["policies"]
                if p["scenario"] == "base" and p["name"] == recommended)
display(Markdown(f"**Headline.** The best list an operator could have made is **{recommended}**: net value "
                 f"**{headline:,.2f} {currency}** over the horizon, mean of {summary['replicates']} replicates."))

# %% [markdown]
# ## What each policy was worth
#
# Net value is saved margin less offer cost and contact cost, against a world without the campaign, discounted. The
# interval is a paired t interval over replicates. The oracle knows every subscriber's true expected effect; nobody
# can reach it, and the distance to it is the regret.

# %%
columns = ["targeted", "reached_in_time", "accepted", "saved_margin", "offer_cost", "contact_cost", "net_value", "regret"]
money = base.sort_values("net_value", ascending=False)[columns].round(0).astype(int)
money.insert(7, "interval", [f"{low:,.0f} to {high:,.0f}" for low, high in
                             base.loc[money.index, ["net_value_low", "net_value_high"]].to_numpy()])
money.rename(columns=lambda name: name.replace("_", " "))

# %%
comparisons = pd.DataFrame(summary["comparisons"])


def verdict(row: pd.Series) -> str:
    if pd.isna(row["low"]):
        return "one replicate: cannot say"
    return "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "not distinguishable"


shown = comparisons[comparisons["policy"].isin(["uplift_value", "oracle"])].copy()
shown["verdict"] = shown.apply(verdict, axis=1)
shown.round(0)

# %% [markdown]
# ## Risk and effect
#
# The list of `everyone` holds all who may be called, with the risk the churn model gives them and the true expected
# effect of the offer, which only a simulator knows. Offers here multiply hazards, so on average the effect rises with
# risk: that is what makes a risk ranking a strong baseline. What it does not tell is which subscribers of a risk are
# moved, whether they are worth the offer, and which offer and channel would do.

# %%
lists = pd.read_parquet(folder / "lists.parquet")
called = lists[(lists["scenario"] == "base") & (lists["policy"] == "everyone")].copy()
called["decile"] = called.groupby("replicate", observed=True)["risk"].transform(
    lambda r: np.minimum(np.ceil(r.rank(pct=True) * 10), 10)).astype(int)
deciles = called.groupby("decile").agg(
    risk=("risk", "mean"), effect_on_staying=("true_effect_on_staying", "mean"),
    share_harmed=("true_effect_on_staying", lambda e: (e < 0).mean()),
    net_value=("true_effect_amount", "mean"), worth_it=("true_effect_amount", lambda e: (e > 0).mean()))
deciles.round(4)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.bar(deciles.index, 100 * deciles["effect_on_staying"], color="0.6", edgecolor="black")
left.set(title="Effect of being listed on staying", xlabel="decile of predicted risk (10: highest)",
         ylabel="percentage points")
right.bar(deciles.index, deciles["net_value"], color="0.6", edgecolor="black")
right.axhline(0, color="black", linewidth=0.8)
right.set(title=f"Net value of being listed ({called['arm'].iloc[0]})",
          xlabel="decile of predicted risk (10: highest)", ylabel=f"{currency} a subscriber")
plt.show()

# %%
diagnostics = pd.read_csv(folder / "tables" / "diagnostics.csv")
rho = diagnostics.loc[diagnostics["scenario"] == "base", "risk_effect_spearman"].mean()
top, mean_value = deciles.loc[10], called["true_effect_amount"].mean()
within = called.groupby("decile")["true_effect_on_staying"].std().mean()
between = deciles["effect_on_staying"].std()
display(Markdown(
    f"Over subscribers, predicted risk and the best true effect on staying have a rank correlation of {rho:.2f}. The effect of "
    f"this offer varies by {100 * within:.2f} points (standard deviation) inside a decile of risk and by {100 * between:.2f} "
    f"points between deciles. In the decile of highest risk, {100 * top['worth_it']:.1f} % of subscribers are worth the offer "
    f"and {100 * top['share_harmed']:.1f} % are made more likely to leave; over all, it brings {mean_value:,.2f} {currency} a "
    "subscriber listed."))

# %% [markdown]
# ## Where a better list comes from
#
# What the lists of the risk ranking, the learned policy and the oracle consist of: mean risk, and the offers and
# channels they use.

# %%
some = lists[(lists["scenario"] == "base") & lists["policy"].isin(["churn_risk", "risk_value", "uplift_value", "oracle"])]
makeup = some.groupby(["policy", "arm"], observed=True).agg(
    subscribers=("subscriber", "size"), mean_risk=("risk", "mean"), planned_cost=("planned_cost_amount", "mean"),
    true_value=("true_effect_amount", "mean"))
makeup["subscribers"] /= summary["replicates"]
makeup.round(2)

# %% [markdown]
# ## What the pilot could see
#
# A learner can only find what its pilot can show. The minimum detectable effect is the smallest average effect that a
# pilot of this size finds four times out of five. The calibration slope says how much of the differences between
# subscribers, as learned, was confirmed on folds the learner had not seen: 1 all of it, 0 none. What is not confirmed
# is not used.

# %%
pilot = pd.read_csv(folder / "tables" / "pilot.csv")
pilot[pilot["scenario"] == "base"].groupby(["learner", "offer"]).agg(
    n_offer=("n_offer", "mean"), left_offer=("left_offer", "mean"), left_control=("left_control", "mean"),
    effect_of_assignment=("effect_of_assignment", "mean"),
    minimum_detectable_effect=("minimum_detectable_effect", "mean"),
    calibration_slope=("calibration_slope", "mean"), kept_share_of_spread=("kept_share_of_spread", "mean")).round(4)

# %%
kept = pilot[(pilot["scenario"] == "base") & (pilot["learner"] == "value")]["kept_share_of_spread"].mean()
learned_list = some[some["policy"] == "uplift_value"]
by_message = learned_list["arm"].astype(str).str.endswith("by sms").mean()
display(Markdown(
    f"The learned policy sends {100 * by_message:.0f} % of its list by message. Of the differences between subscribers that "
    f"its learner saw, {100 * kept:.0f} % were confirmed and used. Where that share is near zero, the list gains on the "
    "rankings by the choice of offer and channel and by the value of the account, not by knowing whom an offer moves; that "
    "knowledge is what the oracle has."))

# %% [markdown]
# ## At other budgets

# %%
budgets = policies[~policies["policy"].str.startswith("everyone")].pivot(
    index="policy", columns="scenario", values="net_value")
budgets.sort_values("base", ascending=False).round(0)

# %%
learned = shown[(shown["policy"] == "uplift_value") & (shown["scenario"] == "base")].set_index("against")["verdict"]
gap = base.loc["oracle", "net_value"] - headline
display(Markdown(
    f"## Recommendation\n\nUse **{recommended}**. At the base budget the learned policy is {learned['none']} than doing "
    f"nothing, {learned['churn_risk']} than the risk ranking and {learned['risk_value']} than risk times value. Calling "
    f"everyone costs {-base.loc['everyone', 'net_value']:,.0f} {currency} more than it saves. There is "
    f"{gap:,.0f} {currency} between the recommended list and the best possible one: what better data could be worth at "
    "most."))
