"""All SQL: pool, migrations, and one module per family of tables. Knows nobody else of the project."""
