"""What visitors' browsers reported → event rows."""
