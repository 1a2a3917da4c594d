"""The revisions, named ``schema_NUMBER_what_changed``."""
