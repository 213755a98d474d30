"""Market clearing on the engine: consensus ADMM, exact repair, bid-breakpoint table, payments; and a plain oracle."""
