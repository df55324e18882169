"""The review page: what a person decides about each row."""
