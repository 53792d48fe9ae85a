"""Stores: attached, listed."""
