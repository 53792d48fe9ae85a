"""What people ask of the figures: reports, over HTTP and at the command line."""
