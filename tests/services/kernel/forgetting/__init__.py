"""Erased people and what is consumed later."""
