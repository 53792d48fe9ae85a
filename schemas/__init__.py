"""What is said between the parts and by the outside: pure pydantic, knows nobody else of the project."""
