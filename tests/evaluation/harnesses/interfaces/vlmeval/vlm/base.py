from abc import abstractmethod


class BaseModel:
    INTERLEAVE = False
    allowed_types = ["text", "image", "video"]

    def __init__(self):
        self.dump_image_func = None

    def use_custom_prompt(self, dataset):
        return False

    @abstractmethod
    def generate_inner(self, message, dataset=None): ...

    def generate(self, message, dataset=None):
        for item in message:
            assert item["type"] in self.allowed_types
        return self.generate_inner(message, dataset)
