"""The queue for the model, which answers so many questions at a time: first come, first served."""

from threading import Condition


class Line:
    """
    Everyone with a question; the first ones are being answered.

    Args:
        longest (`int`): how many may wait.
        at_once (`int`, *optional*, defaults to 1): how many are answered together.
    """

    def __init__(self, longest: int, at_once: int = 1) -> None:
        self._longest, self._at_once = longest, at_once
        self._places: list[object] = []
        self._moved = Condition()

    def join(self, who: object) -> None:
        """Join the end of the line.

        Raises:
            ValueError: it is full.
        """
        with self._moved:
            if len(self._places) >= self._longest + self._at_once:
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
        """How many must be answered before it is its turn."""
        with self._moved:
            return max(0, self._places.index(who) + 1 - self._at_once) if who in self._places else 0

    def wait(self, seconds: float) -> None:
        """Wait until someone leaves, at most this long."""
        with self._moved:
            self._moved.wait(seconds)

    def nudge(self) -> None:
        """Wake everyone who waits, to look again."""
        with self._moved:
            self._moved.notify_all()
