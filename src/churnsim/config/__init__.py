"""YAML with line numbers, patches, hashing and error messages; knows no section."""
