"""The one way to answer: batches, conversations, what was read before, streaming, and what a server needs."""
