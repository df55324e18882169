"""How the model answers: batches, conversations, the prompt cache, streaming, and the core of the server."""
