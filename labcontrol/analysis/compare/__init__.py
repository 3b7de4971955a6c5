"""Strategies against each other on the same table: equal replays, equal modelled time."""

from labcontrol.analysis.compare.ceilings import Ceilings, ceilings
from labcontrol.analysis.compare.contenders import DEFAULT_CONTENDERS, Contender, contender
from labcontrol.analysis.compare.known_table import KnownTable, measured_table
from labcontrol.analysis.compare.noisy_benches import READOUTS
from labcontrol.analysis.compare.strategy_study import Study, StudyProgress, StudySettings
from labcontrol.analysis.compare.study_summary import median_ceilings, summary, table_summary, write_csv
from labcontrol.analysis.compare.trial import Trial, run_trial

__all__ = [
    "DEFAULT_CONTENDERS",
    "READOUTS",
    "Ceilings",
    "Contender",
    "KnownTable",
    "Study",
    "StudyProgress",
    "StudySettings",
    "Trial",
    "ceilings",
    "contender",
    "measured_table",
    "median_ceilings",
    "run_trial",
    "summary",
    "table_summary",
    "write_csv",
]
