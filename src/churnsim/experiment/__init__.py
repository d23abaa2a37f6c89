"""The composed schema, runner, result store, provenance and gate."""
