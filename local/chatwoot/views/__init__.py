"""What Chatwoot shows of what it keeps: one form a row and a reader."""
