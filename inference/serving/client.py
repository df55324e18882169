"""What is known of a request where it is answered, in another thread than where it came in."""

from contextvars import ContextVar
from threading import Event


# Set when the client has hung up.
GONE: ContextVar[Event | None] = ContextVar("GONE", default=None)
# Of what is sampled. `transformers serve` seeds PyTorch as a request comes in, not as it begins.
SEED: ContextVar[int | None] = ContextVar("SEED", default=None)
