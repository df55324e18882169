"""The visitors of the page. A browser presents its key when it opens the page, and gets its chat back."""

import re
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from minigpt4.app.chat import Chat


class Visitor:
    """One browser, in any number of tabs: its chat, and the one before, which `undo` brings back."""

    def __init__(self) -> None:
        self.chat: Chat | None = None
        self._before: Chat | None = None

    @property
    def begun(self) -> bool:
        """Whether there is anything in their chat."""
        return self.chat is not None and self.chat.begun

    @property
    def can_undo(self) -> bool:
        """Whether there is a chat to bring back."""
        return self._before is not None

    @property
    def answers(self) -> bool:
        """Whether an answer is being generated."""
        return self.chat is not None and self.chat.answering is not None and not self.chat.answering.ended

    def begin(self, chat: "Chat | None" = None) -> None:
        """Start a new chat. An answer being generated belongs to the old one, and is stopped."""
        old, self.chat = self.chat, chat
        if old is not None:
            old.stop()
            if old.begun:
                self._before = old

    def follow(self, other: "Visitor") -> None:
        """Come after another: `undo` brings back their chat."""
        self._before = other.chat if other.begun else other._before

    def undo(self) -> None:
        """Back to the chat before the last new one."""
        before, self._before = self._before, None
        if before is not None:
            self.begin(before)


class Visitors:
    """
    Recent visitors, by their keys.

    Args:
        most (`int`): how many are remembered at once; the one away for longest is forgotten first.
        lifetime (`float`): seconds after which a visitor who does not come back is forgotten.
    """

    def __init__(self, most: int, lifetime: float) -> None:
        self._most, self._lifetime = most, lifetime
        self._known: OrderedDict[str, tuple[Visitor, float]] = OrderedDict()
        self._lock = Lock()

    def find(self, key: object, here: Visitor) -> Visitor:
        """The visitor with this key: 32 random hexadecimal digits.

        It is the one who is `here` for a new key, for what is no key, and if they began to talk before their key came:
        `undo` brings back the chat from before then.
        """
        if not isinstance(key, str) or not re.fullmatch("[0-9a-f]{32}", key):
            return here
        now = time.monotonic()
        with self._lock:
            visitor = self._known.pop(key)[0] if key in self._known else here
            if here.begun and visitor is not here:
                here.follow(visitor)
                visitor = here
            self._known[key] = visitor, now
            oldest = next(iter(self._known))
            while len(self._known) > self._most or now - self._known[oldest][1] > self._lifetime:
                del self._known[oldest]
                oldest = next(iter(self._known))
            return visitor
