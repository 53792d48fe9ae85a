"""What Chatwoot reckons over many conversations: ratings, reports, summaries."""
