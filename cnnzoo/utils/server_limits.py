"""Checks of the settings of a server."""


def check(port: int, megabytes: float, megapixels: float) -> None:
    """Checks the port and the limits of a server.

    Raises:
        ValueError: One is out of range.
    """
    for name, value in (("megabytes", megabytes), ("megapixels", megapixels)):
        if not 0 < value < float("inf"):
            raise ValueError(f"`{name}` must be a number > 0. Received: {value}")
    if not 0 <= port < 2**16:
        raise ValueError(f"`port` must be between 0 and {2**16 - 1}. Received: {port}")
