"""A shop's past as files: customers and orders of before it was attached, read in and written out."""
