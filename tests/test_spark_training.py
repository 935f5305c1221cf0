"""Training on Spark: everybody gives the model of one machine, and a sample is drawn fairly."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from commands import run, told
from test_engines import frames_of

from churnkit import bundle
from churnkit.challenge import compare
from churnkit.dataset import Dataset, Schedule, build_dataset
from churnkit.engines.spark import Sample, SparkLogs, logs_to_learn_from, spark_frames
from churnkit.engines.spark.learning import foreseen
from churnkit.engines.spark.strata import Draw, buckets_of, strata_of
from churnkit.errors import ConfigError, DataError
from churnkit.evaluation import fit_chosen
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.logs import Contract
from churnkit.origin import origin
from churnkit.simulate import Shop
from churnkit.sources import SparkSource
from churnkit.training import Training, card_text

LOGS = ("purchases", "activity", "surveys")


@pytest.fixture(scope="module")
def frames(session: Any, shop: Shop) -> dict[str, Any]:
    """The logs of the shop in Spark."""
    tables = {log: pa.Table.from_pandas(getattr(shop, log), preserve_index=False) for log in LOGS}
    return frames_of(session, tables)


@pytest.fixture(scope="module")
def everyone(frames: Any, question: Question, schedule: Schedule) -> Iterator[SparkLogs]:
    """The logs of all customers, with what a training asks of them foreseen."""
    with logs_to_learn_from(frames, question, schedule) as (logs, sample):
        assert sample is None
        yield logs


def test_what_is_asked_of_logs_in_spark_is_answered_as_by_logs_here(everyone, logs, as_of):
    assert everyone.measures == logs.measures
    assert everyone.has_amounts is logs.has_amounts
    assert everyone.customer_count == logs.customer_count
    for log in LOGS:
        assert everyone.first_day(log) == logs.first_day(log)
        assert everyone.last_day(log) == logs.last_day(log)
        assert everyone.day_after_last(log) == logs.day_after_last(log)
    looks = len(everyone._seen)
    unforeseen = as_of.shifted(-3)
    assert FeatureSpec.learn(everyone, unforeseen) == FeatureSpec.learn(logs, unforeseen)
    assert len(everyone._seen) == looks + 1  # one look for all words of a day
    with pytest.raises(ConfigError, match="they stay in Spark"):
        everyone.blocks()


def assert_same_rows(found: Dataset, wanted: Dataset) -> None:
    assert found.features.spec == wanted.features.spec
    assert found.features.customer_id.tolist() == wanted.features.customer_id.tolist()
    told = [(data.features.columns, vars(data)) for data in (found, wanted)]
    for mine, theirs in zip(*told, strict=True):
        for name, values in theirs.items():
            if isinstance(values, np.ndarray):
                assert mine[name].dtype == values.dtype, name
                np.testing.assert_array_equal(mine[name], values, err_msg=name)


def test_all_customers_make_the_model_of_one_machine(
    everyone, training, question, schedule, tmp_path
):
    looks, test = len(everyone._seen), training.backtest.test
    before = schedule.training_cutoffs(everyone, question, test.cutoff)
    spec = training.backtest.recipe.spec(everyone, before)
    assert_same_rows(build_dataset(everyone, question, [test.cutoff], spec), test.data)
    model, learnt = fit_chosen(everyone, training.backtest, schedule)
    assert_same_rows(learnt, training.learnt)
    assert len(everyone._seen) == looks, "something was not foreseen, and took another pass"
    card, digests = training.card(), []
    for name, made in {"spark": model, "here": replace(training.model, spend=None)}.items():
        bundle.save(made, tmp_path / name, card, "")
        digests.append(bundle.digest(tmp_path / name))
    assert digests[0] == digests[1]


def test_a_champion_is_met_on_the_executors_as_on_one_machine(everyone, logs, training, rules):
    champion = rules["rfm_logistic"].called("1")
    assert compare(training, champion, everyone) == compare(training, champion, logs)
    assert compare(training, champion, everyone).log_loss is not None


def test_the_origin_of_a_model_tells_what_can_be_told_from_afar(everyone, logs, tmp_path):
    here = origin(logs, Contract(), "", tmp_path)["logs"]
    there = origin(everyone, Contract(), "", tmp_path)["logs"]
    same = ("log", "rows", "customers", "first", "last")
    assert [[log[k] for k in same] for log in there] == [[log[k] for k in same] for log in here]
    assert {log["sha256"] for log in there} == {None}


def shares(data: Any) -> Counter[tuple[str, bool]]:
    """Cutoff and outcome → share of the rows."""
    pairs = zip(data.features.cutoff.tolist(), data.churned.tolist(), strict=True)
    return Counter({pair: n / len(data) for pair, n in Counter(pairs).items()})


def test_a_larger_sample_holds_the_smaller_one(logs, question, training):
    cutoffs = training.learnt.cutoffs
    strata = set(strata_of(logs, question, cutoffs).tolist())
    small, large = (
        set(logs.customer_ids[Draw(question, cutoffs, dict.fromkeys(strata, n)).drawn(logs)])
        for n in (buckets_of(["a"])[0], buckets_of(["a"])[0] + 400)
    )
    assert small < large or not small


def test_the_number_of_a_customer_is_its_own_and_even():
    ids = [f"c{k}" for k in range(20_000)]
    found = buckets_of(ids)
    assert buckets_of(ids[7:9]).tolist() == found[7:9].tolist()
    # Half of all lie in the buckets above one half, a quarter in those between a quarter and that.
    half = np.float64(0.5).view(np.int64) >> 44
    assert abs(np.mean(found >= half) - 0.5) < 0.015
    assert abs(np.mean((found >= half - 256) & (found < half)) - 0.25) < 0.015


def test_the_card_says_what_was_sampled(training: Training):
    sample = Sample(at_risk=2_000_000, taken=99_950)
    card = replace(training, sample=sample.told()).card()
    assert card["sample"]["says"].startswith("99,950 of 2,000,000 customers at risk (5.0%)")
    assert f"Sample: {card['sample']['says']}." in card_text(card)
    assert training.card()["sample"] is None
    assert "Sample:" not in card_text(training.card())
    assert "Sample:" not in card_text({k: v for k, v in card.items() if k != "sample"})


@dataclass(frozen=True)
class Commanded:
    """What ``churnkit train`` printed, and what it learnt from."""

    told: Mapping[str, Any]
    learnt: Dataset


@pytest.fixture(scope="module")
def commanded(
    session: Any, frames: Any, training: Training, empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Commanded:  # fmt: skip
    """``churnkit train`` on tables of the catalog, with a sample of a thousand customers.

    The models are those of everybody: to fit others would take long and show nothing.
    """
    folder, learnt = tmp_path_factory.mktemp("commanded"), []
    for log in LOGS:
        frames[log].createOrReplaceTempView(f"shop_{log}")
    shutil.copytree(empty_store, folder / "models")
    sections = {f"logs.{log}": f'spark = "shop_{log}"' for log in LOGS} | {
        "question": "horizon_days = 30\nlookback_days = 90",
        "training": "every = 28\ncutoffs = 5",
        "engine": 'name = "spark"\nsample = 1000',
    }
    config = folder / "churnkit.toml"
    config.write_text("\n".join(f"[{name}]\n{lines}" for name, lines in sections.items()))

    def fitted(logs: SparkLogs, question: Question, *_: Any, **__: Any) -> Training:
        spec, cutoffs = training.learnt.features.spec, training.learnt.cutoffs
        learnt.append(build_dataset(logs, question, cutoffs, spec))
        return training

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("churnkit.engines.spark.spark_session", lambda _: nullcontext(session))
        patched.setattr("churnkit.project.train", fitted)
        printed = told("train", "--config", str(config))
    return Commanded(printed, *learnt)


def test_a_sample_is_whole_customers_in_proportion(commanded, training):
    some, whole = commanded.learnt, training.learnt
    theirs = np.isin(whole.features.customer_id, some.features.customer_id)
    # All rows of those who were drawn; what all customers did is counted over everybody.
    assert theirs.sum() == len(some)
    for name, values in whole.features.columns.items():
        np.testing.assert_array_equal(some.features.columns[name], values[theirs], err_msg=name)
    wanted = shares(whole)
    assert max(abs(share - wanted[pair]) for pair, share in shares(some).items()) < 0.01


def test_the_command_says_what_it_sampled_of_which_tables(commanded):
    sample = commanded.told["sample"]
    assert sample["at_risk"] > 1000 >= sample["taken"] > 980
    assert commanded.learnt.customers <= sample["taken"]
    assert f"{sample['taken']:,} of {sample['at_risk']:,} customers at risk" in sample["says"]
    assert [log["log"] for log in commanded.told["origin"]["logs"]] == list(LOGS)


def test_another_draw_takes_the_same(logs, question, schedule, commanded):
    # What was drawn on executors, in other chunks, is drawn here from the same numbers.
    drawn = set(commanded.learnt.features.customer_id)
    cutoffs, _ = foreseen(logs, question, schedule)
    strata, numbers = strata_of(logs, question, cutoffs), buckets_of(logs.customer_ids)
    cut_off = 0
    for k, churned in product(range(len(cutoffs)), (0, 1)):
        here = strata == 1 + 2 * k + churned
        if cutoffs[k] not in commanded.learnt.cutoffs or not here.any():
            continue  # whoever was at risk last at another cutoff has no row there
        inside = np.array([customer in drawn for customer in logs.customer_ids[here]])
        if inside.any() and not inside.all():
            cut_off += 1
            assert numbers[here][inside].max() < numbers[here][~inside].min()
    assert cut_off >= 6


def test_a_table_that_is_not_there_is_told_by_name(session, tmp_path):
    source = {"purchases": SparkSource("shop.no_such_table")}
    missing = r"the Spark table shop\.no_such_table: .*NOT_FOUND"
    with pytest.raises(ConfigError, match=missing) as no:
        spark_frames(session, source)
    assert "[logs.purchases]" in no.value.mend
    odd = {"purchases": SparkSource('shop"; DROP TABLE t; --')}
    with pytest.raises(ConfigError, match="the Spark table shop"):
        spark_frames(session, odd)
    with pytest.raises((ConfigError, DataError), match="nosuch://bucket/orders"):
        spark_frames(session, {"purchases": SparkSource("nosuch://bucket/orders")})


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('spark = "shop.orders"\npath = "orders.parquet"', "name either a path"),
        ('spark = "shop.orders"\ntable = "orders"', "table does not go with a spark"),
        ('spark = "file:///orders"', "names a file of this machine"),
        ('spark = "s3a://me:secret@bucket/orders"', "holds a password"),
        ('spark = " "', "neither a table nor an address"),
        ('spark = "s3a://lake/orders"\n[security]\nhosts = ["db.example"]', "lake"),
    ],
)
def test_what_spark_cannot_be_asked_for_is_refused_with_the_settings(tmp_path, lines, says):
    config = tmp_path / "churnkit.toml"
    config.write_text(f'[logs.purchases]\n{lines}\n[engine]\nname = "spark"\n')
    done = run("train", "--config", str(config))
    assert done.exit_code == 2
    assert says in done.stderr
    assert "secret" not in done.stderr


def test_only_spark_reads_its_tables(tmp_path):
    config = tmp_path / "churnkit.toml"
    config.write_text('[logs.purchases]\nspark = "shop.orders"\n')
    done = run("check", "--config", str(config))
    assert done.exit_code == 2
    assert "the purchases log is the Spark table shop.orders, which only Spark reads" in done.stderr
