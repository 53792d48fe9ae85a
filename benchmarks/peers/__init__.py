"""Our webhook door beside servers that others would write for the same work, in Go."""
