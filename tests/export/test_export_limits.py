"""Input checks of exports and `cnnzoo serve`: formats, sizes, ranges, names and encodings; int8 calibration."""

import asyncio
import base64
import functools
import gzip
import io
import json
import os
import resource
import shutil
import stat
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import cnnzoo
from cnnzoo.data import DataNotFound
from cnnzoo.export import litert
from cnnzoo.imaging.files import png_bytes
from cnnzoo.imaging.given_masks import read_mask
from cnnzoo.serving import app as serving_app
from cnnzoo.serving.app import application
from cnnzoo.serving.batching import Workers
from cnnzoo.serving.model_repository import ModelRepository
from cnnzoo.serving.predictor import Predictor
from cnnzoo.serving.protocol import Refusal

LIMIT = 50_000  # pixels per request


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("exports")
    cnnzoo.export("lenet.mnist", root)
    cnnzoo.export(cnnzoo.build("espcn", scale=2, width=4), root)
    return root


@pytest.fixture(scope="module")
def exports(folder):
    return {name: cnnzoo.load_export(folder / name) for name in ("lenet", "espcn")}


@pytest.fixture(scope="module")
def ask(folder):
    """A function that sends one request to a model and returns the parsed response, or raises its error."""
    catalog, predictor = ModelRepository(folder), Predictor(LIMIT)

    def sent(model, signature, inputs):
        (answer,) = predictor(
            catalog.find(model), [json.dumps({"signature_name": signature, "inputs": inputs}).encode()]
        )
        if isinstance(answer, Exception):
            raise answer
        return json.loads(answer)

    return sent


def encoded(kind, side=28, **options) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (200, 10, 10)).save(buffer, kind, **options)
    return buffer.getvalue()


def on_a_screen_of_one_pixel(gif: bytes) -> bytes:
    return gif[:6] + struct.pack("<HH", 1, 1) + gif[10:]


UNWANTED = {
    "gif": lambda: encoded("GIF"),
    "gif frame larger than its screen": lambda: on_a_screen_of_one_pixel(encoded("GIF", 2000)),
    "gif of many frames": lambda: encoded(
        "GIF", 1500, save_all=True, append_images=[Image.new("RGB", (1500, 1500), (i, 0, 0)) for i in range(8)]
    ),
    "webp of 34 bytes and 256 megapixels": lambda: encoded("WEBP", 16000, lossless=True, method=0),
    "bmp": lambda: encoded("BMP"),
    "tiff": lambda: encoded("TIFF"),
    "jpeg xl": lambda: b"\xff\x0a" + bytes(100),
    "jpeg xl container": lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100),
    "nothing": lambda: b"",
    "png without a header": lambda: b"\x89PNG\r\n\x1a\n" + bytes(60),
    "png cut short": lambda: encoded("PNG")[:20],
}


@pytest.mark.parametrize("kind", UNWANTED)
def test_export_and_server_reject_other_formats_before_decoding(kind, exports, ask):
    file = UNWANTED[kind]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Exception, match=r"must be a PNG or JPEG|must have at most"):
        exports["lenet"]("classify_bytes", image_bytes=[file])
    with pytest.raises(Refusal, match="A picture must be a PNG or JPEG") as refused:
        ask("lenet", "classify_bytes", [{"b64": base64.b64encode(file).decode()}])
    assert refused.value.code == "INVALID_ARGUMENT"
    # One decoded frame of the smallest of the large files takes 6.75 MB, and 27 MB as float32.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 6_000


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_export_rejects_small_file_with_large_declared_size(kind, exports):
    file = bytearray(encoded(kind))
    if kind == "PNG":
        file[16:24] = struct.pack(">II", 5000, 5000)
    else:
        frame = file.index(b"\xff\xc0")
        file[frame + 5 : frame + 9] = struct.pack(">HH", 5000, 5000)
    with pytest.raises(Exception, match="A picture must have at most 16777216 pixels"):
        exports["lenet"]("classify_bytes", image_bytes=[bytes(file)])


def test_server_limits_pixels_of_numeric_inputs(ask):
    side = int(LIMIT**0.5) + 1
    with pytest.raises(Refusal, match=f"must have at most {LIMIT} pixels in all. Received: {side * side}"):
        ask("espcn", "upscale", np.zeros((1, side, side, 1), int).tolist())
    with pytest.raises(Refusal, match=r"pixels in all\. Received: 78400"):
        ask("lenet", "classify", np.zeros((100, 28, 28, 1), int).tolist())


def test_server_limits_pixels_of_numeric_responses(ask):
    side = int((LIMIT / 4) ** 0.5)
    answered = ask("espcn", "upscale", np.zeros((1, side, side, 1), int).tolist())["outputs"]
    assert np.shape(answered) == (1, 2 * side, 2 * side, 1)
    larger = 4 * (side + 1) ** 2
    with pytest.raises(Refusal, match=f"in numbers must have at most {LIMIT} pixels. Received: {larger}"):
        ask("espcn", "upscale", np.zeros((1, side + 1, side + 1, 1), int).tolist())
    png = png_bytes(astronaut()[:200, :200])  # as a file the response is small
    assert ask("espcn", "upscale_bytes", [{"b64": base64.b64encode(png).decode()}])


@pytest.mark.parametrize("value", [255.0, 1.5, -0.5, float("nan")])
def test_export_rejects_image_values_out_of_range(value, exports):
    image = np.full((2, 28, 28, 1), 0.5, np.float32)
    image[1, 3, 4] = value
    with pytest.raises(Exception, match=r"`image` must be images in \[0, 1\]. Received: values outside \[0, 1\]"):
        exports["lenet"]("classify", image=image)


def test_export_rejects_batch_of_none_and_two_channels(exports):
    with pytest.raises(Exception, match=r"`image` must have one value or more. Received: none"):
        exports["lenet"]("classify", image=np.zeros((0, 28, 28, 1), np.float32))
    with pytest.raises(Exception, match=r"`image` must have 1 or 3 channels. Received: another number"):
        exports["espcn"]("upscale", image=np.zeros((1, 8, 8, 2), np.float32))


def test_denoiser_export_accepts_noise_and_rejects_other_scale(tmp_path):
    cnnzoo.export(cnnzoo.build("denoiser", width=8, image_shape=(None, None, 1)), tmp_path)
    served = cnnzoo.load_export(tmp_path / "denoiser")
    assert np.isfinite(served("restore", image=np.full((1, 16, 16, 1), -0.2, np.float32))["image"]).all()
    with pytest.raises(Exception, match=r"`image` must be images in \[0, 1\]. Received: values outside \[-1, 2\]"):
        served("restore", image=np.full((1, 16, 16, 1), 128.0, np.float32))


@pytest.mark.parametrize(
    ("arch", "config", "verb", "name", "values", "complaint"),
    [
        ("enhancer", {}, "enhance", "strength", [5.0], r"`strength` must be numbers in \[0, 2\]"),
        ("enhancer", {}, "enhance", "strength", [np.nan], r"`strength` must be numbers in \[0, 2\]"),
        ("enhancer", {}, "enhance", "strength", [1, 1], "`strength` must have one row for each row of `image`"),
        ("fast_style", {"styles": ("a", "b")}, "stylize", "style", [[0, 1]] * 2, "`style` must have one row for each"),
        ("fast_style", {"styles": ("a", "b")}, "stylize", "style", [[2, -1]], "`style` must be numbers in"),
        ("fast_style", {"styles": ("a", "b")}, "stylize", "style", [[0, 0]], "`style` must have a positive weight"),
        (
            "adain",
            {},
            "stylize",
            "style",
            np.zeros((2, 16, 16, 3)),
            "`style` must have one row for each row of `image`",
        ),
        ("dcgan", {"latent_dim": 3}, "decode", "code", np.zeros((0, 3)), "`code` must have one value or more"),
        ("dcgan", {"latent_dim": 3}, "decode", "code", [[0, np.inf, 0]], "`code` must be finite numbers"),
        ("vqvae", {"codes": 4}, "decode", "code", np.full((1, 7, 7), 4), r"`code` must be numbers in \[0, 3\]"),
        ("vqvae", {"codes": 4}, "decode", "code", np.full((1, 7, 7), -1), r"`code` must be numbers in \[0, 3\]"),
    ],
)
def test_export_rejects_other_inputs_out_of_range(arch, config, verb, name, values, complaint, small_exports):
    served = small_exports(arch, config)
    images = {} if verb == "decode" else {"image": np.zeros((1, 16, 16, 3), np.float32)}
    with pytest.raises(Exception, match=complaint):
        served(verb, **images, **{name: np.array(values, np.int32 if arch == "vqvae" else np.float32)})


@pytest.fixture(scope="module")
def small_exports(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")

    @functools.cache
    def exported(arch, *config):
        cnnzoo.export(cnnzoo.build(arch, width=4, **dict(config)), root)
        return cnnzoo.load_export(root / arch)

    return lambda arch, config: exported(arch, *config.items())


# -- masks -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inpainter(tmp_path_factory):
    root = tmp_path_factory.mktemp("inpainter")
    cnnzoo.export(cnnzoo.build("inpainter", width=4, image_shape=(None, None, 3)), root)
    return cnnzoo.load_export(root / "inpainter")


def test_mask_from_bytes_matches_read_mask(tmp_path):
    from cnnzoo.export.image_codec import mask_from_bytes

    painted = np.zeros((40, 50), np.uint8)
    painted[8:20, 10:30] = 255
    soft = np.asarray(Image.fromarray(painted).resize((50, 40), Image.Resampling.BICUBIC, (0.3, 0.3, 50, 40)))
    only = np.dstack([np.zeros((40, 50, 3), np.uint8), painted])
    masks = {"a.jpg": painted, "b.png": soft, "c.png": only, "d.png": painted > 0, "e.png": painted // 255}
    for name, pixels in masks.items():
        Image.fromarray(pixels).save(tmp_path / name)
        raw = (tmp_path / name).read_bytes()
        found = mask_from_bytes(raw, (None, None, 1)).numpy()
        np.testing.assert_array_equal(found[..., 0], read_mask(raw), err_msg=name)
    both = np.dstack([painted, painted, painted, np.full((40, 50), 255, np.uint8)])
    both[30:, :, 3] = 0
    buffer = io.BytesIO()
    Image.fromarray(both).save(buffer, "PNG")
    with pytest.raises(ValueError, match="transparent parts"):
        read_mask(buffer.getvalue())
    with pytest.raises(Exception, match="must be all black or all painted"):
        mask_from_bytes(buffer.getvalue(), (None, None, 1))


def test_export_rejects_mask_of_another_size(inpainter):
    image, mask = np.zeros((1, 32, 32, 3), np.float32), np.zeros((1, 32, 24, 1), np.float32)
    with pytest.raises(Exception, match="`mask` must have the size of its image"):
        inpainter("restore", image=image, mask=mask)


# -- names, configurations, versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../outside", "a/b", "x:predict", 'we"ird', "", ".", "..", ".hidden", "a b"])
def test_export_rejects_invalid_name(name, tmp_path):
    with pytest.raises(ValueError, match=r"`name` must be of letters, digits, .*. Received: "):
        cnnzoo.export("lenet.mnist", tmp_path / "root", name=name)
    assert not list(tmp_path.iterdir())


def test_export_rejects_broken_config_before_writing(tmp_path):
    (tmp_path / "models.config").write_text("model_config_list { config {")
    with pytest.raises(ValueError, match=r"models\.config cannot be read"):
        cnnzoo.export("lenet.mnist", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["models.config"]


def test_write_configs_is_safe_in_concurrent_processes(folder, tmp_path):
    from cnnzoo.export.serving import read_models

    names = [f"model{i}" for i in range(6)]
    for name in names:
        (tmp_path / name / "1").mkdir(parents=True)
        shutil.copy(folder / "lenet" / "1" / "saved_model.pb", tmp_path / name / "1")
    program = (
        "import sys; from pathlib import Path\n"
        "from cnnzoo.export import serving; from cnnzoo.utils.atomic_files import locked\n"
        "root = Path(sys.argv[1])\n"
        "for _ in range(20):\n    with locked(root, 60.0):\n        serving.write_configs(root)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(2)]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    assert sorted(model.name for model in read_models(tmp_path)) == names


def test_export_files_respect_umask(folder):
    umask = os.umask(0)
    os.umask(umask)
    for path in (folder / "lenet" / "1").rglob("*"):
        full = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == full & ~umask, path
    assert stat.S_IMODE((folder / "lenet" / "1").stat().st_mode) == 0o777 & ~umask


def test_model_repository_retries_failed_version_after_change(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "root")
    root, whole = tmp_path / "root", folder / "lenet" / "1"
    catalog = ModelRepository(root)
    half = root / "lenet" / "2"
    half.mkdir()
    shutil.copy(whole / "saved_model.pb", half)  # the rest is still being copied
    catalog.refresh()
    assert ("lenet", 2) in catalog.failed and catalog.find("lenet").version == 1
    shutil.copytree(whole, half, dirs_exist_ok=True)
    catalog.refresh()
    assert not catalog.failed and catalog.find("lenet").version == 2


# -- request bodies ----------------------------------------------------------------------------------------------------


async def post(app, body: bytes, encoding: str) -> tuple[int, str]:
    parts = [body[i : i + 1000] for i in range(0, len(body), 1000)]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    path, sent = "/v1/models/lenet:predict", []
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"content-encoding", encoding.encode())], "http_version": "1.1", "scheme": "http"}

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def test_server_decompresses_gzip_bodies_up_to_limit(folder, monkeypatch):
    held = []
    monkeypatch.setattr(serving_app.Api, "answer", bodies_into(held))
    workers = Workers(lambda *_: [], 1, 1)
    app = application(ModelRepository(folder), workers, 10_000)

    def send(body, encoding="gzip"):
        return asyncio.run(post(app, body, encoding))

    assert send(gzip.compress(b"x" * 10_000)) == (200, "{}")
    assert held == [b"x" * 10_000]
    code, said = send(gzip.compress(bytes(50_000_000)))
    assert code == 413 and "The body must be at most 10000 bytes" in said
    for body, complaint in ((gzip.compress(b"x" * 99)[:-9], "ends early"), (b"no gzip", "be gzip"), (b"", "early")):
        code, said = send(body)
        assert code == 400 and complaint in said, said
    code, said = send(b"{}", "br")
    assert code == 415 and "Content-Encoding must be one of gzip, identity. Received: br" in said
    assert send(b"y", "identity") == (200, "{}")
    assert held == [b"x" * 10_000, b"y"]
    workers.close()


def bodies_into(held):
    async def answer(self, request, path, asked, name):
        async with self.body_of(request) as body:
            held.append(body)
        return b"{}"

    return answer


# -- LiteRT ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "stand_in"), [("espcn.x2", "photos"), ("lenet.mnist", "digits")])
def test_int8_calibration_falls_back_without_training_data(name, stand_in, monkeypatch):
    def absent(*_):
        raise DataNotFound("not here")

    monkeypatch.setattr(litert, "training_images", absent)
    model, data = cnnzoo.build(name), cnnzoo.card(name)["data"]["name"]
    with pytest.warns(UserWarning, match=f"is not on this machine; int8 is calibrated on {stand_in} instead"):
        seen = list(litert.calibration(model, data))
    assert len(seen) == litert.CALIBRATION
    channels = model.image_shape[2]
    for one in seen:
        assert one["image"].shape[0] == 1 and one["image"].shape[3] == channels
        assert one["image"].min() >= -0.1 and one["image"].max() <= 1.1


def test_int8_calibration_uses_all_images_of_small_set(tmp_path):
    from cnnzoo.imaging.files import save_png

    for i in range(5):
        save_png(tmp_path / "few" / "train" / "all" / f"{i}.png", np.full((28, 28, 1), 40 * i, np.uint8))
        save_png(tmp_path / "few" / "test" / "all" / f"{i}.png", np.full((28, 28, 1), 40 * i, np.uint8))
    model = cnnzoo.build("autoencoder", width=4, hidden=8)
    assert len(list(litert.calibration(model, str(tmp_path / "few")))) == 5
