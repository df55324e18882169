from dataclasses import dataclass, field
from typing import Any


@dataclass
class Instance:
    request_type: str
    arguments: tuple
    idx: int
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def args(self):
        return self.arguments
