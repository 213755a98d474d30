"""Interest rate: a committee sets a rate by model-predictive control, with private preferences and readings."""
