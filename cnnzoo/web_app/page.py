"""The page of the app: a tab for each task, with Gradio."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

import gradio as gr
from gradio.utils import get_upload_folder

from cnnzoo import hub
from cnnzoo.checkpoints import table
from cnnzoo.web_app import photographs, small_images
from cnnzoo.web_app.photographs import KINDS, Cancelled, Desk

TITLE = "cnnzoo"
HOUR = 3600  # seconds that results are kept
# Works at once over all tabs, and beside them those that may take a minute.
WORKERS, SLOW_WORKERS = 2, 1
WAITING = 64  # at most; others are told that the queue is full
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"], ["ui-monospace", "monospace"]
# Colors of text with a contrast of at least 4.5 to 1, which not all of the theme's have.
READABLE = {
    "block_label_text_color": "*primary_700",
    "block_title_text_color": "*primary_700",
    "body_text_color_subdued": "*neutral_600",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
    "checkbox_label_background_fill_selected": "*primary_600",
}
STYLE = """
.dark button[role=tab].selected { color: var(--primary-400) }
footer { display: none !important }
.problem { color: var(--error-text-color); font-weight: 600 }
.pixels img { image-rendering: pixelated }
"""
# Nothing may be loaded from, or sent to, another machine.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'"
)


def _upload(label: str) -> gr.Image:
    """A picture whose file is handed on as it came, in its own format; a broken one as well."""
    image = gr.Image(label=label, type="filepath", image_mode=None, sources=["upload", "clipboard"], height=320)
    image.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    return image


def serve(host: str, port: int, megabytes: float, megapixels: float, open_browser: bool, block: bool) -> Any:
    """See `cnnzoo.app`."""
    desk = Desk(Path(get_upload_folder()), megapixels)
    page = blocks(desk)
    try:
        page.launch(
            server_name=host,
            server_port=port or _free_port(host),
            max_file_size=int(megabytes * 2**20),
            inbrowser=open_browser,
            share=False,
            ssr_mode=False,
            prevent_thread_lock=True,
            quiet=True,
            footer_links=[],
            enable_monitoring=False,
            theme=gr.themes.Soft(font=FONTS[0], font_mono=FONTS[1]).set(**READABLE),
            css=STYLE,
            app_kwargs={"middleware": [_policy()]},
        )
    except OSError as error:
        rule = "The address must be of this machine with a free port, or with 0 for any"
        raise ValueError(f"{rule}. Received: {host}:{port} ({error})") from None
    if block:
        print(f"The app is at {page.local_url} ; Ctrl-C ends it.", flush=True)
        page.block_thread()
        desk.end_all()
    return page


def _free_port(host: str) -> int:
    import socket

    with socket.create_server((host, 0)) as taken:
        return taken.getsockname()[1]


def _policy() -> Any:
    """Middleware that adds the content security policy to every answer."""
    from starlette.datastructures import MutableHeaders
    from starlette.middleware import Middleware
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    class Policy:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def with_policy(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
                await send(message)

            await self.app(scope, receive, with_policy if scope["type"] == "http" else send)

    return Middleware(Policy)


def blocks(desk: Desk) -> gr.Blocks:
    """The page."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(HOUR, HOUR)) as page:
        gr.Markdown("# cnnzoo\nImage networks that enlarge, repair, paint and generate, on this machine alone.")
        with gr.Tabs():
            _enlarge(desk)
            _denoise(desk)
            _repair(desk)
            _paint(desk)
            _light(desk)
            _generate(desk)
            _explain(desk)
            _compress(desk)
    page.queue(max_size=WAITING, api_open=False)
    return page


# -- photographs ------------------------------------------------------------------------------------------------------


def _enlarge(desk: Desk) -> None:
    with _tab("Enlarge", "Makes a photograph 2, 3 or 4 times as large."):
        with gr.Row():
            with gr.Column():
                photo = _upload("Photograph")
                scale = gr.Radio([2, 3, 4], value=3, label="Times as large")
                kind = gr.Radio(list(KINDS), value=KINDS[0], label="The photograph is")
                sharpness = gr.Slider(
                    0,
                    1,
                    value=0,
                    step=0.1,
                    label="Sharpness, of 4 times",
                    info="0 is faithful; 1 invents texture. Above 0 the photograph is taken as clean.",
                )
                work = _Work("Enlarge")
            _result(desk, work, partial(photographs.enlarge, desk), [photo, scale, kind, sharpness])
        _cards("espcn.x3", "espcn.x3_real", "espcn_gan.x4")


def _denoise(desk: Desk) -> None:
    with _tab("Denoise", "Removes the noise of a photograph, of unknown strength."):
        with gr.Row():
            with gr.Column():
                photo = _upload("Photograph")
                work = _Work("Denoise")
            _result(desk, work, partial(photographs.denoise, desk), [photo])
        _cards("denoiser.color_blind", "denoiser.gray_blind")


def _repair(desk: Desk) -> None:
    with _tab("Repair", "Fills the parts of a photograph that you draw over."):
        with gr.Row():
            with gr.Column():
                photo = _upload("Photograph")
                drawing = gr.ImageEditor(
                    label="Draw over the parts to fill",
                    type="pil",
                    image_mode="RGBA",
                    format="png",
                    sources=(),
                    transforms=(),
                    layers=False,
                    brush=gr.Brush(default_size=16, colors=["#e5484d"], color_mode="fixed"),
                    height=420,
                )
                with gr.Accordion("Or a mask", open=False):
                    mask = _upload("Mask of the same size: bright is filled")
                work = _Work("Repair")
            _result(desk, work, partial(photographs.repair, desk), [photo, drawing, mask])
        photo.change(partial(photographs.to_draw_on, desk), photo, drawing, show_progress="hidden")
        _cards("inpainter.photos64")


def _paint(desk: Desk) -> None:
    named = [(name.replace("_", " "), name) for name in hub.card(photographs.PAINTER)["config"]["styles"]]

    def paint(request: gr.Request, progress: gr.Progress, *inputs: Any) -> photographs.Edited:
        def tell(done: int, total: int) -> None:
            progress((done, total), desc="painting", unit="steps")

        with desk.slow_work(str(request.session_hash)) as ended:
            return photographs.paint(desk, ended, tell, *inputs)

    def end(request: gr.Request) -> None:
        desk.end(str(request.session_hash))

    with _tab("Paint", "Paints a photograph after a painting, after two of them, or after any picture."):
        with gr.Row():
            with gr.Column():
                photo = _upload("Photograph")
                first = gr.Dropdown(named, value="starry_night", label="Painting")
                second = gr.Dropdown(named, value="wave", label="Second painting")
                share = gr.Slider(0, 1, value=0, step=0.1, label="Share of the second")
                keep = gr.Checkbox(label="Keep the colors of the photograph")
                with gr.Accordion("Or any picture (a minute)", open=False):
                    picture = _upload("Picture to paint after")
                work = _Work("Paint")
            _result(desk, work, paint, [photo, first, second, share, keep, picture], end)
        _cards(photographs.PAINTER)


def _light(desk: Desk) -> None:
    with _tab("Light", "Corrects exposure, contrast and color."):
        with gr.Row():
            with gr.Column():
                photo = _upload("Photograph")
                strength = gr.Slider(0, 2, value=1, step=0.1, label="Strength")
                work = _Work("Correct")
            _result(desk, work, partial(photographs.light, desk), [photo, strength])
        _cards("enhancer.photos")


class _Work:
    """The buttons of a tab, and the sentence under them on what went wrong."""

    def __init__(self, verb: str) -> None:
        with gr.Row():
            self.start = gr.Button(verb, variant="primary")
            self.cancel = gr.Button("Cancel")
        self.problem = gr.Markdown(elem_classes="problem")

    def runs(
        self,
        function: Callable[..., Sequence[Any]],
        inputs: list[Any],
        outputs: list[Any],
        end: Callable[..., None] | None = None,
    ) -> None:
        """Runs a function on a click; a ValueError becomes the sentence, and the outputs are emptied.

        Cancel takes it out of the queue, or ends the waiting for it; `end` ends the work itself.
        """

        def answered(*values: Any) -> list[Any]:
            try:
                return [*function(*values), ""]
            except Cancelled:
                return [None] * len(outputs) + ["Cancelled."]
            except (ValueError, OSError) as error:
                return [None] * len(outputs) + [str(error)]

        # Gradio gives the visitor and the progress to positional parameters with this type and this default.
        def told(request: gr.Request, progress: gr.Progress = gr.Progress(), *values: Any) -> list[Any]:  # noqa: B008
            return answered(request, progress, *values)

        def ended(request: gr.Request) -> str:
            if end is not None:
                end(request)
            return "Cancelled."

        kind, most = ("work", WORKERS) if end is None else ("slow work", SLOW_WORKERS)
        event = self.start.click(
            answered if end is None else told,
            inputs,
            [*outputs, self.problem],
            concurrency_id=kind,
            concurrency_limit=most,
        )
        self.cancel.click(ended, None, self.problem, cancels=[event], queue=False)


def _result(
    desk: Desk,
    work: _Work,
    function: Callable[..., photographs.Edited],
    inputs: list[Any],
    end: Callable[..., None] | None = None,
) -> None:
    """The right side of a tab: before and after, the file, and a sentence on it."""
    with gr.Column():
        slider = gr.ImageSlider(label="Before and after", format="png", interactive=False, height=480, max_height=480)
        note = gr.Markdown()
        file = gr.DownloadButton("Download", interactive=False)

    def edited(*values: Any) -> list[Any]:
        made = function(*values)
        both = tuple(str(photographs.page_file(desk.folder, each)) for each in (made.before, made.after))
        return [both, made.note, gr.DownloadButton(value=str(made.file), interactive=True)]

    work.runs(edited, inputs, [slider, note, file], end)


# -- small images -----------------------------------------------------------------------------------------------------


def _generate(desk: Desk) -> None:
    names = small_images.generators()
    start = "cgan.fashion_mnist" if "cgan.fashion_mnist" in names else names[0]

    def classes(name: str) -> gr.Dropdown:
        known = small_images.classes_of(name)
        choices = [("all in turn", ""), *((each, each) for each in known)]
        return gr.Dropdown(choices, value="", label="Class", visible=bool(known))

    def chosen(name: str) -> list[Any]:
        return [classes(name), gr.Slider(visible=small_images.takes_truncation(name)), _described(name)]

    def sheet(*values: Any) -> list[Any]:
        image, file = small_images.generate(desk.folder, *values)
        return [image, gr.DownloadButton(value=str(file), interactive=True)]

    def walk(*values: Any) -> list[Any]:
        file = small_images.walk(desk.folder, *values)
        return [str(file), gr.DownloadButton(value=str(file), interactive=True)]

    with _tab("Generate", "New images from a seed, or a walk from one seed to another."):
        with gr.Row():
            with gr.Column():
                name = gr.Dropdown(list(names), value=start, label="Model")
                seed = gr.Number(value=0, precision=0, minimum=0, label="Seed")
                label = classes(start)
                truncation = gr.Slider(0.5, 4, value=4, step=0.1, label="Truncation: lower is more typical")
                n = gr.Slider(1, small_images.MOST, value=16, step=1, label="Images")
                sheets = _Work("Generate")
                second = gr.Number(value=1, precision=0, minimum=0, label="Second seed, of a walk")
                walks = _Work("Walk")
            with gr.Column():
                image = gr.Image(label="Images", format="png", interactive=False, buttons=["fullscreen"])
                file = gr.DownloadButton("Download", interactive=False)
        about = _described(start)
    sheets.runs(sheet, [name, n, seed, label, truncation], [image, file])
    walks.runs(walk, [name, seed, second, label, truncation], [image, file])
    name.change(chosen, name, [label, truncation, about], show_progress="hidden")


def _explain(desk: Desk) -> None:
    names = small_images.classifiers()
    with _tab("Explain", "Names what a small picture shows, and marks what the answer rests on."):
        with gr.Row():
            with gr.Column():
                name = gr.Dropdown(list(names), value=names[0], label="Model")
                picture = _upload("Picture")
                invert = gr.Checkbox(label="Swap light and dark", info="For ink on paper: these models know light ink.")
                work = _Work("Explain")
            with gr.Column():
                classes = gr.Label(label="Classes", num_top_classes=5)
        report = gr.Image(label="Red speaks for the answer, blue against it", format="png", interactive=False)
        about = _described(names[0])
    work.runs(partial(small_images.explain, desk), [name, picture, invert], [classes, report])
    name.change(_described, name, about, show_progress="hidden")


def _compress(desk: Desk) -> None:
    with _tab("Compress", "Packs a picture of 32x32 pixels into a few dozen bytes."):
        with gr.Row():
            with gr.Column():
                picture = _upload("Picture: cropped, and reduced to 32x32 pixels")
                work = _Work("Compress")
            _result(desk, work, partial(small_images.compress, desk), [picture])
        _cards(small_images.CODEC)


# -- shared parts -----------------------------------------------------------------------------------------------------


def _tab(title: str, about: str) -> gr.Tab:
    tab = gr.Tab(title)
    with tab:
        gr.Markdown(about)
    return tab


def _described(name: str) -> gr.Markdown:
    """The card of a checkpoint, in a few lines."""
    card = hub.card(name)
    lines = [
        f"**{name}** {card['description']}.",
        f"Score: {table.headline(card)}.",
        f"Trained on {card['data']['name']} ({card['data']['licence']}). Weights: {card['licence']}.",
    ]
    return gr.Markdown("\n\n".join(lines))


def _cards(*names: str) -> None:
    with gr.Accordion("The models of this tab", open=False):
        for name in names:
            _described(name)
