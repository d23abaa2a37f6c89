"""The reference of columns and covariates, generated from what declares them."""

from __future__ import annotations

from churnsim.lifecycle.covariates import COVARIATES
from churnsim.population.columns import SCHEMA


def covariates_markdown() -> str:
    """Return the covariates that hazards, shopping and acceptance may use, as a table."""
    rows = [f"| `{name}` | {covariate.meaning} |" for name, covariate in COVARIATES.items()]
    return _page("Covariates", "What `lifecycle.causes`, `lifecycle.shopping.log_odds` and offers' `acceptance` may "
                 "use: coefficients are per unit given here.", ("covariate", "meaning and unit"), rows)


def columns_markdown() -> str:
    """Return the columns of a subscriber as a table."""
    rows = [f"| `{c.name}` | {c.visibility} | {c.unit} | {_meaning(c.meaning, c.categories)} | {c.owner} |"
            for c in SCHEMA.values()]
    return _page("Columns", "A subscriber is an account. Observed columns are what an operator's systems hold; latent "
                 "ones only the simulator knows, and no feature, learner or policy sees them.",
                 ("column", "visibility", "unit", "meaning", "written by"), rows)


def _meaning(text: str, categories: tuple[str, ...]) -> str:
    return f"{text}: {', '.join(categories)}" if categories else text


def _page(title: str, lead: str, heads: tuple[str, ...], rows: list[str]) -> str:
    table = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows]
    return "\n".join((f"# {title}", "", lead, "", *table, ""))
