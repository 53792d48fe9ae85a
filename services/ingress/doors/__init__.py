"""The three doors and the widget's configuration: verify, key, keep, answer."""
