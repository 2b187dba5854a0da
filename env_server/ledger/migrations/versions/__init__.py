"""One file for each schema, named after its number."""
