"""The sdist leaves it out. `ConfigTester` reads it only for configurations without parts of their own."""

config_common_kwargs: dict = {}
