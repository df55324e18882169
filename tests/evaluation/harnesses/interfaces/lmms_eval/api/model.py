from abc import ABC, abstractmethod


class lmms(ABC):
    is_simple = True

    def __init__(self):
        self._rank, self._world_size, self.task_dict = 0, 1, {}

    @abstractmethod
    def loglikelihood(self, requests): ...

    @abstractmethod
    def generate_until(self, requests): ...

    @abstractmethod
    def generate_until_multi_round(self, requests): ...

    @classmethod
    def create_from_arg_string(cls, arg_string, additional_config=None):
        pairs = (pair.split("=", 1) for pair in arg_string.split(",") if pair)
        return cls(
            **dict(pairs), **{name: value for name, value in (additional_config or {}).items() if value is not None}
        )

    @property
    def rank(self):
        return self._rank

    @property
    def world_size(self):
        return self._world_size
