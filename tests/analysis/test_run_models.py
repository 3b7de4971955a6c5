"""What a run is compared with: laws, fit, twin and verdict, against curves made for the purpose."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from labcontrol.analysis.model_curve import interval_text
from labcontrol.analysis.run_models import RunModels, law_prediction, record_prediction, run_models
from labcontrol.analysis.twin_model import TwinModel, main
from labcontrol.analysis.verdict import VerdictKind, verdict
from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine import Run
from labcontrol.records import RunReader
from labcontrol.theory import AmplitudeLaw

NEURONS = 16
UNIFORM = LearningConfig(loss="mse", selection="uniform")


def amplitude_law(step_variance: float = 1e-4) -> AmplitudeLaw:
    """Time constant 8 epochs, standard error of the rate a tenth."""
    return AmplitudeLaw(NEURONS, np.arange(4), np.ones(4), 2.0, 1.0, 0.01, 2.0, 0.2, step_variance)


def compared(
    incumbent: np.ndarray, learning: LearningConfig = UNIFORM, law: AmplitudeLaw | None = None, accepted: int = 20
) -> RunModels:
    prediction = law_prediction(law or amplitude_law(), learning)
    return run_models(learning, prediction, np.arange(len(incumbent), dtype=np.float64), incumbent, accepted)


def test_the_verdict_names_the_side_of_the_interval() -> None:
    models = {model.key: model for model in law_prediction(amplitude_law(), UNIFORM).curves}
    assert verdict(models, 10, 0.9, 20).kind is VerdictKind.SLOWER
    assert verdict(models, 10, 0.011, 20).kind is VerdictKind.FASTER
    assert verdict(models, 10, 0.3, 20).kind is VerdictKind.AS_PREDICTED
    assert verdict(models, 30, 0.9, 20).kind is VerdictKind.NO_EXPONENTIAL
    assert verdict({}, 10, 0.5, 20).kind is VerdictKind.NONE


@pytest.mark.parametrize(("epoch", "accepted"), [(0.0, 0), (7.9, 7), (300.0, 4)])
def test_there_is_no_verdict_before_there_is_evidence(epoch: float, accepted: int) -> None:
    models = {model.key: model for model in law_prediction(amplitude_law(), UNIFORM).curves}
    for error in (1e-6, 0.9):
        assert verdict(models, epoch, error, accepted).text == "cannot tell yet"


@pytest.mark.parametrize(
    ("factor", "kind"), [(1.0, VerdictKind.AS_PREDICTED), (3.0, VerdictKind.SLOWER), (0.3, VerdictKind.FASTER)]
)
def test_a_good_fit_is_compared_by_its_time_constant(factor: float, kind: VerdictKind) -> None:
    law = amplitude_law()
    models = compared(0.2 + 0.8 * np.exp(-np.arange(120.0) / (factor * law.tau)))
    assert models.curves["fit"].tau is not None
    assert models.curves["fit"].tau[0] == pytest.approx(factor * law.tau, rel=1e-3)
    assert models.verdict.kind is kind


def test_the_interval_of_a_time_constant_is_that_of_a_single_run_and_never_empty() -> None:
    """With every mirror in the pilot the mean rate is known exactly; a single run's is not."""
    law = AmplitudeLaw(NEURONS, np.arange(16), np.ones(16), 2.0, 1.0, 0.01, 2.0, 0.0, 1e-2)
    tau = law_prediction(law, UNIFORM).curves[0].tau
    spread = 1.96 * math.sqrt(law.step_variance * law.tau)
    assert tau == pytest.approx((8.0, 8.0 * math.exp(-spread), 8.0 * math.exp(spread)))


def test_an_interval_over_orders_of_magnitude_is_not_determined_yet() -> None:
    assert interval_text((14.3, 3.4e-4, 592068.0)) == "14.3 (not determined yet)"
    assert interval_text((14.3, 10.0, 20.0)) == "14.3 (10.0 to 20.0)"
    assert interval_text((16.0, 16.0, 16.0)) == "16.0"
    assert interval_text((0.01, -0.002, 0.022)) == "0.0100 (-0.00200 to 0.0220)"
    assert interval_text((5.0, 1.0, math.inf)) == "5.00 (not determined yet)"


@pytest.mark.parametrize("selection", ["uniform", "cyclic", "greedy"])
def test_coverage_starts_at_the_start_and_ends_at_the_floor(selection: str) -> None:
    law = amplitude_law()
    curve = compared(np.ones(3), LearningConfig(loss="mse", selection=selection)).curves["coverage"]
    ends = curve.values(np.array([0.0, 40.0 * NEURONS]))
    assert ends[0] == pytest.approx(law.start)
    assert ends[1] == pytest.approx(law.floor, abs=1e-6)


def test_a_flip_that_is_judged_by_two_measurements_takes_two_epochs() -> None:
    twice = LearningConfig(loss="mse", selection="uniform", acceptance="re-measured")
    first, second = (law_prediction(amplitude_law(), learning).curves[0] for learning in (UNIFORM, twice))
    assert second.at(20.0) == first.at(10.0)


@pytest.mark.parametrize("strategy", ["multiplexed-identification", "noise-aware"])
def test_laws_speak_of_single_flips_only_and_a_remark_says_so(strategy: str) -> None:
    models = compared(np.exp(-np.arange(50.0) / 9), LearningConfig(strategy=strategy))
    assert set(models.curves) == ({"fit"} if strategy == "noise-aware" else set())
    assert models.remark.startswith("The laws speak of")
    assert models.verdict.kind is VerdictKind.NONE


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


def test_law_three_is_known_before_learning_and_the_twin_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0, raising=False)
    experiment = ExperimentConfig.model_validate(
        {"neurons": 16, "task": {"steps": 60, "washout": 10, "test_steps": 20}, "stop": {"epochs": 60},
         "learning": {"loss": "mse", "selection": "cyclic"}}
    )  # fmt: skip
    run = Run(experiment, simulated_bench(16, 1), tmp_path)
    run.execute()
    with RunReader(run.record) as record:
        errors, prediction = record.incumbent_errors(), record_prediction(record)
    assert prediction is not None
    law = next(model for model in prediction.curves if model.key == "mean-field")
    assert law.at(0.0) == pytest.approx(errors[0], rel=0.05)
    assert law.at(59.0) < law.at(0.0)
    capsys.readouterr()
    assert main(str(run.record)) == 0  # as the window has it computed
    twin = TwinModel(**json.loads(capsys.readouterr().out)).curve()
    assert "measured states" in twin.name
    low, high = twin.interval_at(59.0) or (0.0, 0.0)
    assert low <= twin.at(59.0) <= high
    assert twin.at(59.0) < twin.at(0.0)
