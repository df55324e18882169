"""The queue for the model, which answers one question at a time: first come, first served."""

from threading import Condition


class Line:
    """
    Everyone with a question; the first is being answered.

    Args:
        longest (`int`): how many may wait.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._places: list[object] = []
        self._moved = Condition()

    def join(self, who: object) -> None:
        """Join the end of the line.

        Raises:
            ValueError: it is full.
        """
        with self._moved:
            if len(self._places) > self._longest:
                raise ValueError(
                    f"{self._longest} questions wait for the model already: send yours again in a moment."
                )
            self._places.append(who)

    def leave(self, who: object) -> None:
        """Leave the line, answered or not."""
        with self._moved:
            if who in self._places:
                self._places.remove(who)
            self._moved.notify_all()

    def ahead(self, who: object) -> int:
        """How many are ahead."""
        with self._moved:
            return self._places.index(who) if who in self._places else 0

    def wait(self, seconds: float) -> None:
        """Wait until someone leaves, at most this long."""
        with self._moved:
            self._moved.wait(seconds)

    def nudge(self) -> None:
        """Wake everyone who waits, to look again."""
        with self._moved:
            self._moved.notify_all()
