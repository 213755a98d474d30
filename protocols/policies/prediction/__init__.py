"""Prediction: one-step-ahead prices from the private price histories of several parties."""
