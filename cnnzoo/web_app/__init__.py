"""The app: a page in the browser for every verb, on this machine.

photographs   enlarge, denoise, repair, paint and light photographs
small_images  generate, explain and compress images of the sizes of MNIST and CIFAR-10
page          the tabs
"""

from typing import Any

from cnnzoo.utils import server_limits
from cnnzoo.utils.optional import require

HOST, PORT, MEGABYTES, MEGAPIXELS = "127.0.0.1", 7860, 32.0, 16.0


def app(
    *,
    host: str = HOST,
    port: int = PORT,
    megabytes: float = MEGABYTES,
    megapixels: float = MEGAPIXELS,
    open_browser: bool = False,
    block: bool = True,
) -> Any:
    """Serves the app until it is interrupted; in a notebook, shows it in the cell and returns at once.

    Nothing is sent to other machines: the page loads no fonts, scripts or statistics from elsewhere. Results are kept
    in Gradio's folder of temporary files for an hour.

    Args:
        host: The address to listen on; by default not reachable from other machines.
        port: 0 takes a free port.
        megabytes: The largest file that is taken, in units of 2**20 bytes.
        megapixels: The largest picture that is taken, in units of 10**6 pixels.
        open_browser: Whether to open the page in the browser.
        block: Whether to wait for the interruption; False returns the running `gradio.Blocks`, with `close()`.

    Raises:
        ValueError: A limit or the port is out of range, or the address is not free.
        ModuleNotFoundError: The extra "app" is not installed.
    """
    server_limits.check(port, megabytes, megapixels)
    require("the app", "app", "gradio")
    from cnnzoo.web_app.page import serve

    return serve(host, port, megabytes, megapixels, open_browser, block)
