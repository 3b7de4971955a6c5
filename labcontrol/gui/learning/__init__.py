"""The learning curve, measured and modelled, of a run in progress or of a record."""
