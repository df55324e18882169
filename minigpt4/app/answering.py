"""An answer being generated. It outlives the page that asked for it: a reloaded page goes on showing it."""

import sys
import time
import traceback
from collections.abc import Generator, Iterator
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Protocol

from minigpt4.app.uploads import UploadError


if TYPE_CHECKING:
    from minigpt4.app.line import Line
    from minigpt4.inference.conversation import Conversation

PATIENCE = 120  # seconds that an answer continues while no page shows it
STOPPED = "Stopped: the answer is incomplete."
CANCELLED = "Cancelled: the message was not sent."
LEFT = "The answer was ended as no page showed it any more."


class Answered(Protocol):
    """A chat, as far as its answers need it."""

    conversation: "Conversation"

    def kept(self) -> Any: ...

    def restore(self, kept: Any) -> None: ...

    @property
    def problems(self) -> list[str]: ...


class Answering:
    """
    One answer, generated in its own thread when its turn comes.

    Args:
        chat (`Answered`): the chat it belongs to.
        growing (`Generator`): the chat's messages, first with the question, then with more and more of the answer.
        line (`Line`): where to wait for the model.
        longest (`int`): the maximum length of the answer in tokens.
        message (`dict`, *optional*): the message in the textbox; it is put back (`back`) if no answer comes of it.

    Raises:
        ValueError: too many questions are waiting already.
    """

    def __init__(
        self,
        chat: Answered,
        growing: Generator[list[dict], None, None],
        line: "Line",
        longest: int,
        message: dict | None = None,
    ) -> None:
        self.messages: list[dict] | None = None  # while it is being generated
        self.ended = False
        self.error = ""  # why there is no answer
        self.remark = ""  # what the user should know about the answer
        self.back: dict | None = None
        self.message = message
        self._chat, self._growing, self._line, self._longest = chat, growing, line, longest
        self._why_stopped = ""
        self._version = 0
        self._changed = Condition()
        self._watched = time.monotonic()
        line.join(self)
        Thread(target=self._work, daemon=True, name="answering").start()

    @property
    def ahead(self) -> int:
        """How many questions are ahead of it."""
        return self._line.ahead(self)

    def stop(self) -> None:
        """End it; what has been generated stays. A question that is still waiting is withdrawn."""
        self._end(STOPPED)

    def watch(self) -> Iterator[None]:
        """Yields whenever there is something new to show, the last time when it has ended."""
        seen: tuple[int, int] | None = None
        while True:
            with self._changed:
                self._watched = time.monotonic()
                now, ended = (self._version, self.ahead), self.ended
                if now == seen and not ended:
                    self._changed.wait(0.5)  # `ahead` is checked twice a second
                    continue
            seen = now
            yield
            if ended:
                return

    def _work(self) -> None:
        before = self._chat.kept()
        try:
            for number, messages in enumerate(self._growing):  # the first shows the question; then the model reads
                self._show(messages)
                if number == 0:
                    self._wait()
                if self._why_stopped:
                    break
                if time.monotonic() - self._watched > PATIENCE:
                    self._end(LEFT)
        except UploadError as error:
            self.error = str(error)
            if self.message is not None:  # the bad file is not left attached
                kept = [file for file in self.message["files"] if file != error.file]
                self.message = {**self.message, "files": kept}
        except (ValueError, OSError) as error:
            self.error = str(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.error = f"Something went wrong ({type(error).__name__}); see the terminal for details."
        finally:
            self._growing.close()
            self._line.leave(self)
            self._conclude(before)

    def _wait(self) -> None:
        while self._line.ahead(self) and not self._why_stopped:
            self._line.wait(1)
            if time.monotonic() - self._watched > PATIENCE:
                self._end(LEFT)

    def _end(self, why: str) -> None:
        self._why_stopped = self._why_stopped or why
        self._chat.conversation.stop()
        self._line.nudge()

    def _show(self, messages: list[dict]) -> None:
        with self._changed:
            self.messages = messages
            self._version += 1
            self._changed.notify_all()

    def _conclude(self, before: Any) -> None:
        conversation, old = self._chat.conversation, before.turns
        answered = conversation.turns and all(conversation.turns[-1] is not turn for turn in old)
        if not answered:
            self._chat.restore(before)  # brings back the turns that were cut to be answered again
            self.error = self.error or (CANCELLED if self._why_stopped == STOPPED else self._why_stopped)
            self.back = self.message
        else:
            self.remark = " ".join(filter(None, self._remarks(before)))
        with self._changed:
            self.messages = None
            self.ended = True
            self._version += 1
            self._changed.notify_all()

    def _remarks(self, before: Any) -> Iterator[str]:
        conversation = self._chat.conversation
        answer = conversation.turns[-1].answer
        if not answer.finished and (self._why_stopped or self.error):
            yield self._why_stopped
        elif not answer.finished and len(answer.ids) >= self._longest:
            yield f"The answer reached its maximum length, {self._longest} tokens: the settings can allow more."
        elif not answer.finished:
            yield "The answer is incomplete: the model can read no more. Start a new chat."
        elif problems := self._chat.problems:
            yield f"Not all boxes were right: {'; '.join(problems[:3])}."
        if conversation.forgotten > before.forgotten:
            left_out = f"its oldest turns are left out, {conversation.forgotten} so far; pictures stay."
            yield f"The conversation outgrew the model: {left_out}"
