"""From what was seen to findings: pure, so that each fault can be shown without making it."""
