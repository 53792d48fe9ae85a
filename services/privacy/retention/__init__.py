"""How long a store keeps what, and how it leaves."""
