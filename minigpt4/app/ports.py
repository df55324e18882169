"""Where the page listens. Nothing heavy is imported here: a taken port is said before anything is loaded."""

from minigpt4.inference.serving.listening import first_free_port


PORTS = range(7860, 7960)


def port_for(host: str, port: int | None = None) -> int:
    """`port` if it is free; by default the first free one of `PORTS`.

    Raises:
        OSError: as [`first_free_port`].
    """
    return first_free_port(host, [port] if port else PORTS)
