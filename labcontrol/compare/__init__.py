"""Strategies against each other on the same table: equal replays, equal modelled time."""

from labcontrol.compare.benches import READOUTS
from labcontrol.compare.ceilings import Ceilings, ceilings
from labcontrol.compare.contenders import DEFAULT_CONTENDERS, Contender, contender
from labcontrol.compare.known_table import KnownTable, measured_table
from labcontrol.compare.study import Study, StudyProgress, StudySettings
from labcontrol.compare.summary import median_ceilings, summary, table_summary, write_csv
from labcontrol.compare.trial import Trial, run_trial

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
