"""Rows to train on: where they come from, how they are read and mixed, and what is wrong with them."""
