"""Tacita."""
