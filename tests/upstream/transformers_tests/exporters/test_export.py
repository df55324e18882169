"""The sdist leaves the export tests out. `ModelTesterMixin` only needs a class to inherit from."""


class ExportTesterMixin:
    pass
