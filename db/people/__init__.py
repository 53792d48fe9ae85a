"""Customers, contacts, and who is due."""
