"""chatwoot.webhooks → facts → figures: conversation rows and reports that equal Chatwoot's own."""
