"""The data dictionary names every column of every file that a simulation writes, and nothing else."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plugin_files import with_drivers
from small_world import load_small

from churnsim.capacity.log import Attempts, CallLog
from churnsim.errors import ConfigError
from churnsim.experiment.dictionary import MADE, dictionary
from churnsim.experiment.simulated import CAMPAIGN, PARTED
from churnsim.experiment.simulation import open_simulation, simulate
from churnsim.experiment.world import make_world
from churnsim.lifecycle.record import choose_columns
from churnsim.population.columns import SCHEMA

RECORD = ("record={by: [payment, region], events: true, panel_share: 0.3, latent: true, snapshot: {month: 2, "
          "outcome_months: 2}}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything but a campaign, with drivers of one's own."""
    out = tmp_path_factory.mktemp("all")
    loaded = with_drivers(out, "simulation={months: 5, partition_size: 200}", "population.size=300", RECORD)
    return simulate(open_simulation(loaded, out / "out"), engine="serial").save(out / "out")


@pytest.fixture(scope="module")
def meanings(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "dictionary.csv", keep_default_na=False).set_index(["file", "column"])


def test_every_column_of_every_file_stands_there_once(folder: Path, meanings: pd.DataFrame) -> None:
    written = [(name, column) for name in ("summaries.parquet", *PARTED) for column in
               pq.read_table(folder / name).column_names]
    assert meanings.index.tolist() == written
    filled = meanings[["dtype", "unit", "visibility", "meaning", "source"]]
    assert (filled != "").all(axis=None) and set(meanings["visibility"]) == {"observed", "latent"}
    # What is said of features alone stands for nothing else.
    features = meanings[meanings["meaning"].str.startswith("feature that learners are given")]
    assert set(features.index.get_level_values("file")) == {"snapshot"}
    assert {"log_usage", "complaints"} <= set(features.index.get_level_values("column"))


def test_types_and_categories_are_those_of_the_files(folder: Path, meanings: pd.DataFrame) -> None:
    for file in ("summaries.parquet", *PARTED):
        table = pq.read_table(folder / file).unify_dictionaries()
        for field in table.schema:
            row = meanings.loc[file, field.name]
            is_code = pa.types.is_dictionary(field.type)
            assert row["dtype"] == ("category" if is_code else str(field.type))
            if is_code and row["categories"]:
                assert set(table[field.name].unique().to_pylist()) - {None} <= set(row["categories"].split("; "))
            assert is_code or not row["categories"] or field.name == "world"


def test_what_is_latent_stands_in_files_of_its_own(meanings: pd.DataFrame) -> None:
    visible = meanings["visibility"]
    assert set(visible["end_state"]) == {"observed"}
    keys = ["subscriber", "month"]
    for file in ("end_state_latent", "panel_latent"):
        assert set(visible[file].drop(keys, errors="ignore")) == {"latent"}
    assert meanings.loc[("end_state", "tenure_months"), "source"] == "lifecycle.tenure"
    assert meanings.loc[("end_state", "usage_gb_lag2"), "meaning"] == (
        f"{SCHEMA['usage_gb'].meaning}: 2 months ago, 1 being the last month")


def test_drivers_of_ones_own_are_told_of(meanings: pd.DataFrame) -> None:
    row = meanings.loc["end_state", "unhappy"]
    assert (row["source"], row["meaning"], row["categories"]) == ("surveys", "answer to the last survey", "fine; bad")
    assert meanings.loc[("end_state_latent", "cause"), "categories"].endswith("; strike")
    assert meanings.loc[("summaries.parquet", "left.strike"), "meaning"].endswith("because of strike")
    assert meanings.loc[("panel_latent", "heard_lag6"), "meaning"].startswith("satisfaction a month: 6 months ago")


def test_the_files_of_a_campaign() -> None:
    world = make_world(load_small().experiment, replicate=0, folder=Path())
    files = {f"{name}.parquet": pa.schema([(column, pa.int64()) for column in MADE[name]]) for name in CAMPAIGN
             if name in MADE}
    assert set(files) == {"ledger.parquet", "contacts.parquet", "calls.parquet", "lists.parquet",
                          "treated_events.parquet"}
    for name, log in (("contacts", Attempts), ("calls", CallLog)):
        assert set(MADE[name]) == {column.name for column in fields(log)}
    found = dictionary(files, schema=world.engine.schema, labels=world.labels).to_pandas()
    assert not found["meaning"].str.startswith("feature").any()
    assert found.loc[(found["file"] == "contacts.parquet") & (found["column"] == "offer"), "categories"].item() == (
        "; ".join(("none", *world.labels.offers)))
    # A user's own name for a table of states may be that of another file.
    named = dictionary({"lists.csv": pa.schema([("lines", pa.int16())])}, schema=world.engine.schema,
                       labels=world.labels, kinds={"lists.csv": "end_state"})
    assert named["meaning"].to_pylist() == [SCHEMA["lines"].meaning]


# record.columns


def test_chosen_columns_alone_are_written(tmp_path: Path) -> None:
    chosen = ("record={columns: [payment, usage_gb, bill_amount_lag1, satisfaction, departure_time], latent: true, "
              "by: []}")
    found = simulate(open_simulation(load_small("simulation.months=2", chosen), tmp_path), engine="serial")
    found.save(tmp_path)
    end, latent = pq.read_table(tmp_path / "end_state"), pq.read_table(tmp_path / "end_state_latent")
    assert end.column_names == ["subscriber", "payment", *(f"usage_gb_lag{ago}" for ago in range(1, 7)),
                                "bill_amount_lag1", "departure_time"]
    assert latent.column_names == ["subscriber", "satisfaction", "departure_time"]
    meanings = pd.read_csv(tmp_path / "dictionary.csv").set_index("file")["column"]
    assert meanings["end_state"].tolist() == end.column_names
    plain = simulate(open_simulation(load_small("simulation.months=2", "record={latent: true, by: []}"),
                                     tmp_path / "all"), engine="serial")
    whole = pq.read_table(plain.parts[0] / "end_state.parquet")
    assert end.equals(whole.select(end.column_names))
    assert choose_columns(whole, None, SCHEMA) is whole
    assert np.isin(choose_columns(whole, ["usage_gb", "usage_gb_lag1"], SCHEMA).column_names, whole.column_names).all()


@pytest.mark.parametrize(("columns", "says"), [
    ("[payment, zzz]", "--set: record.columns[1]: no such column; docs/columns.md names them"),
    ("[payments]", "--set: record.columns[0]: no such column. Did you mean 'payment'?"),
    ("[payment, lines, payment]", "--set: record.columns[2]: 'payment' stands there twice; name it once"),
    ("[satisfaction]", "--set: record.columns[0]: only the simulator knows 'satisfaction'; set record.latent to true, "
                       "or take it out"),
    ("[fault]", "--set: record.columns[0]: no such column"),
])
def test_wrong_columns_are_refused(columns: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(f"record.columns={columns}")
    assert str(caught.value).startswith(says)


def test_columns_of_drivers_can_be_chosen(tmp_path: Path) -> None:
    record = with_drivers(tmp_path, "record={columns: [unhappy, heard_lag2, stage_of_five], latent: true}").experiment
    assert record.record.columns == ("unhappy", "heard_lag2", "stage_of_five")
