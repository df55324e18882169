"""The model behind HTTP: what it remembers between requests, and what is let in."""
