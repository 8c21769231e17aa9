"""Mutated files and requests for the readers; no tests in here."""
