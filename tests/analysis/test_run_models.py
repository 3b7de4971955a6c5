"""What a run is compared with: prediction, laws, fit and verdict, against curves made for the purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from predictions import TAU, exponential, pilot_result

from labcontrol.analysis.curve_facts import MODELS
from labcontrol.analysis.model_curve import interval_text
from labcontrol.analysis.run_models import (
    RunModels,
    pilot_prediction,
    prediction_json,
    record_models,
    record_prediction,
    run_models,
)
from labcontrol.analysis.verdict import VerdictKind
from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine import Run
from labcontrol.engine.pilot import PilotResult
from labcontrol.records import RunReader

UNIFORM = LearningConfig(loss="mse", options={"selection": "uniform"})


def compared(
    incumbent: np.ndarray, learning: LearningConfig = UNIFORM, pilot: PilotResult | None = None, accepted: int = 20
) -> RunModels:
    prediction = pilot_prediction(pilot or pilot_result())
    return run_models(learning, prediction, np.arange(len(incumbent), dtype=np.float64), incumbent, accepted)


@pytest.mark.parametrize(
    ("rate", "kind", "words"),
    [
        (1.0, VerdictKind.AS_PREDICTED, "as predicted: 100% of the epochs in the band"),
        (0.4, VerdictKind.SLOWER, "slower than predicted"),
        (2.5, VerdictKind.FASTER, "faster than predicted"),
    ],
)
def test_the_verdict_names_the_side(rate: float, kind: VerdictKind, words: str) -> None:
    judged = compared(exponential(rate * np.arange(25.0))).verdict
    assert judged.kind is kind
    assert words in judged.text


@pytest.mark.parametrize(("epochs", "accepted"), [(1, 0), (8, 7), (90, 4)])
def test_there_is_no_verdict_before_there_is_evidence(epochs: int, accepted: int) -> None:
    for factor in (1e-3, 1.0, 5.0):
        models = compared(factor * exponential(np.arange(float(epochs))), accepted=accepted)
        assert models.verdict.text in ("", "cannot tell yet")


def test_the_predicted_curve_has_a_band_and_the_exponential_a_time_constant_of_single_runs() -> None:
    curves = {curve.key: curve for curve in pilot_prediction(pilot_result()).curves}
    assert curves["prediction"].interval_at(20.0) == pytest.approx((exponential(20.0) / 1.3, exponential(20.0) * 1.3))
    assert curves["exponential"].tau == (TAU, 6.0, 11.0)
    assert curves["exponential"].at(16.0) == pytest.approx(exponential(16.0))
    assert curves["exponential"].label == "Predicted exponential: τ = 8.00 (6.00 to 11.0), R² = 0.9990"


def test_the_help_says_what_was_measured_and_what_is_left_unexplained() -> None:
    curve = pilot_prediction(pilot_result(unexplained=0.004)).curves[0]
    assert "all mirrors, by 39 masks in 4 replays" in curve.help
    assert "0.4% of what they changed is left unexplained" in curve.help


def test_an_interval_over_orders_of_magnitude_is_not_determined_yet() -> None:
    assert interval_text((14.3, 3.4e-4, 592068.0)) == "14.3 (not determined yet)"
    assert interval_text((14.3, 10.0, 20.0)) == "14.3 (10.0 to 20.0)"
    assert interval_text((16.0, 16.0, 16.0)) == "16.0"


def test_no_curve_is_predicted_of_a_strategy_that_measures_and_decides() -> None:
    learning = LearningConfig(strategy="multiplexed-identification")
    models = compared(np.exp(-np.arange(50.0) / 9), learning, pilot_result(predicted=False))
    assert not models.curves
    assert models.remark.startswith("A curve is predicted of descents flip by flip")
    assert models.verdict.kind is None


def test_no_curve_is_predicted_where_outputs_are_no_sums_over_mirrors() -> None:
    models = compared(exponential(np.arange(50.0)), UNIFORM, pilot_result(predicted=False, unexplained=0.3))
    assert set(models.curves) == {"fit"}
    assert "30.0% of what masks changed is left unexplained" in models.remark


def test_a_fit_is_silent_where_it_is_far_below_what_was_measured() -> None:
    epochs = np.arange(200.0)
    creeping = np.maximum(3 * np.exp(-epochs / 5), 0.01 * (1 - epochs / 1000))
    fit = compared(creeping, LearningConfig()).curves["fit"]
    shown = epochs <= fit.until
    assert np.all(fit.values(epochs[shown]) >= 0.29 * creeping[shown])


def test_a_curve_whose_later_epochs_are_thinned_has_the_same_fit() -> None:
    epochs = np.arange(100_000.0)
    rng = np.random.default_rng(1)
    errors = 0.1 + np.exp(-epochs / 20_000) + 0.01 * rng.standard_normal(len(epochs))
    kept = np.concatenate([np.arange(4096), np.arange(4096, 100_000, 64)])
    whole, thinned = (
        run_models(UNIFORM, None, epochs[rows], errors[rows], 9).curves["fit"].tau for rows in (slice(None), kept)
    )
    assert whole is not None
    assert thinned is not None
    assert thinned[0] == pytest.approx(whole[0], rel=0.02)


@pytest.mark.parametrize("selection", ["cyclic", "blocks"])
def test_a_record_holds_its_prediction_and_the_laws_follow_on_demand(
    tmp_path: Path, selection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = ExperimentConfig.model_validate(
        {"neurons": 16, "task": {"steps": 60, "washout": 10, "test_steps": 20}, "stop": {"epochs": 60},
         "learning": {"loss": "mse", "options": {"selection": selection}}}
    )  # fmt: skip
    run = Run(experiment, simulated_bench(16, 1), tmp_path)
    run.execute()
    monkeypatch.setattr("labcontrol.engine.pilot.predict_run", None)  # nobody computes it again
    with RunReader(run.record) as record:
        errors, prediction, models = record.incumbent_errors(), record_prediction(record), record_models(record)
    assert prediction is not None
    curves = {curve.key: curve for curve in prediction.curves}
    assert curves["prediction"].at(0.0) == pytest.approx(errors[0], rel=0.02)
    assert curves["prediction"].at(59.0) < curves["prediction"].at(0.0)
    laws = {key for key, facts in MODELS.items() if facts.on_demand} - {"two-exponentials"}
    assert "two-exponentials" in curves
    assert laws & set(curves) == (laws if selection == "cyclic" else set())
    for key in laws & set(curves):
        assert curves[key].at(0.0) == pytest.approx(errors[0], rel=0.05)
        assert curves[key].at(59.0) < curves[key].at(0.0)
    told = prediction_json(models)
    assert told is not None
    assert models.judgement is not None
    assert told["verdict"] == models.verdict.kind
    assert told["inside"] == models.judgement.inside
    assert told["median"] == pytest.approx(curves["prediction"].values(np.array(told["epochs"])))
