"""How many samples a run learns from in a second."""

import time


class Throughput:
    """Counts samples; the clock starts with the first of them."""

    def __init__(self):
        self.since: float | None = None
        self.samples = 0

    def start(self) -> None:
        if self.since is None:
            self.since = time.perf_counter()

    def leave_out(self, seconds: float) -> None:
        """Leave out the seconds of an evaluation."""
        if self.since is not None:
            self.since += seconds

    def take(self) -> float:
        """Samples per second since the last call, or since the start."""
        now = time.perf_counter()
        rate = self.samples / max(now - (self.since or now), 1e-9)
        self.since, self.samples = now, 0
        return rate
