"""What became of every record: ledger, dead letters, acknowledgements, refusals."""
