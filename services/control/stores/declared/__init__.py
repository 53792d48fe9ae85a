"""Stores as one file declares them: read, compared with what is there, made so."""
