"""Tests of `cnnzoo upscale`, `denoise`, `inpaint`, `enhance` and `stylize`, mostly with toy models."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

from cnnzoo.cli import main
from cnnzoo.imaging.files import Photo, read_photo, save_photo

EXIF = Image.Exif()
EXIF[271] = "Maker"


class Enlarger:
    """Repeats pixels. The ensemble inverts them visibly. The model for real photographs returns black."""

    image_shape = (None, None, 1)

    def __init__(self, scale, real=False):
        self.scale, self.real = scale, real

    def upscale(self, x, ensemble=False):
        large = x.repeat(self.scale, axis=0).repeat(self.scale, axis=1) * x.dtype.type(not self.real)
        return np.iinfo(x.dtype).max - large if ensemble else large


class Denoiser:
    """Adds 1, or 3 in the last channel. The ensemble adds 10 more."""

    def __init__(self, channels):
        self.image_shape = (None, None, channels)

    def restore(self, x, ensemble=False):
        assert x.shape[2] == self.image_shape[2]
        return x + np.array([1] * (x.shape[2] - 1) + [3], x.dtype) + x.dtype.type(10 * ensemble)


class Inpainter:
    """Fills masked pixels with 200."""

    image_shape = (None, None, 3)

    def restore(self, x, mask):
        assert x.shape[2] == 3
        return np.where(mask[..., None], x.dtype.type(200), x)


MODELS = {
    "espcn.x2": Enlarger(2),
    "espcn.x3": Enlarger(3),
    "espcn.x2_real": Enlarger(2, real=True),
    "espcn.x3_real": Enlarger(3, real=True),
    "denoiser.gray_blind": Denoiser(1),
    "denoiser.color_blind": Denoiser(3),
    "inpainter.photos64": Inpainter(),
}


@pytest.fixture(autouse=True)
def models(monkeypatch):
    def able(name, verb):
        if name not in MODELS:
            raise ValueError(f"Unknown checkpoint {name!r}")
        assert hasattr(MODELS[name], verb)
        return MODELS[name]

    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", able)
    monkeypatch.setattr("cnnzoo.hub.list_checkpoints", lambda pattern="*": [name for name in MODELS if "espcn" in name])


@pytest.fixture
def command(capsys):
    """Runs a command line; returns stdout and stderr."""

    def run(*words, code=0):
        assert main([str(word) for word in words]) == code
        return capsys.readouterr()

    return run


@pytest.fixture
def refusal(command):
    """Runs a command line that must fail; returns its one-line error message."""

    def run(*words):
        out, err = command(*words, code=2)
        assert out == "" and err.count("\n") == 1
        return err

    return run


@pytest.fixture
def photo():
    rng = np.random.default_rng(0)
    pixels, alpha = rng.integers(0, 200, (6, 5, 3), np.uint8), rng.integers(8, 256, (6, 5), np.uint8)
    return Photo(pixels, alpha, EXIF.tobytes())


@pytest.fixture
def path(photo, tmp_path):
    """The file of the photograph, in color with alpha."""
    save_photo(tmp_path / "in.png", photo.pixels, photo)
    return tmp_path / "in.png"


@pytest.fixture
def gray(photo, tmp_path):
    """The file of a gray photograph."""
    save_photo(tmp_path / "gray.png", photo.pixels[..., :1], Photo(photo.pixels))
    return tmp_path / "gray.png"


@pytest.fixture
def mask(tmp_path):
    missing = np.zeros((6, 5), bool)
    missing[2:4, 1:3] = True
    Image.fromarray(missing).save(tmp_path / "mask.png")
    return missing, tmp_path / "mask.png"


# -- one file ---------------------------------------------------------------------------------------------------------


def test_upscale_enlarges_pixels_and_alpha_and_preserves_exif(command, photo, path, tmp_path):
    target = tmp_path / "new" / "out.png"
    out, err = command("upscale", path, target, "--scale", 3)
    assert out == f"{target}\n"
    assert err == "model: espcn.x3, for files other than JPEG; --real for espcn.x3_real\n"
    made = read_photo(target)
    np.testing.assert_array_equal(made.pixels, photo.pixels.repeat(3, 0).repeat(3, 1))
    by_pillow = np.asarray(Image.fromarray(photo.alpha).resize((15, 18), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(made.alpha, by_pillow)
    assert made.exif == photo.exif
    command("upscale", path, target, "--scale", 2, "--model", "espcn.x2", "--ensemble")
    np.testing.assert_array_equal(read_photo(target).pixels, 255 - photo.pixels.repeat(2, 0).repeat(2, 1))


def test_upscale_keeps_sixteen_bits(command, photo, tmp_path):
    deep = Photo(photo.pixels.astype(np.uint16) * 257 + 5, photo.alpha.astype(np.uint16) * 257)
    save_photo(tmp_path / "in.png", deep.pixels, deep)
    command("upscale", tmp_path / "in.png", tmp_path / "out.png", "--scale", 2)
    made = read_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(made.pixels, deep.pixels.repeat(2, 0).repeat(2, 1))
    by_pillow = np.asarray(Image.fromarray(photo.alpha).resize((10, 12), Image.Resampling.BICUBIC))
    assert np.abs(made.alpha / 257 - by_pillow).max() <= 1  # Pillow rounds to 8 bits twice, for rows and columns


def test_denoise_selects_model_by_channels(command, photo, path, gray, tmp_path):
    command("denoise", path, tmp_path / "out.png")
    made = read_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(made.pixels, photo.pixels + np.array([1, 1, 3], np.uint8))
    np.testing.assert_array_equal(made.alpha, photo.alpha)
    assert made.exif == photo.exif
    command("denoise", gray, tmp_path / "out.png", "--ensemble")
    np.testing.assert_array_equal(read_photo(tmp_path / "out.png").pixels, photo.pixels[..., :1] + 13)


def test_denoise_and_inpaint_preserve_gray_with_color_model(command, photo, gray, mask, tmp_path):
    command("denoise", gray, tmp_path / "out.png", "--model", "denoiser.color_blind")
    mean = np.rint((1 + 1 + 3) / 3).astype(np.uint8)
    np.testing.assert_array_equal(read_photo(tmp_path / "out.png").pixels, photo.pixels[..., :1] + mean)
    command("inpaint", gray, tmp_path / "out.png", "--mask", mask[1])
    expected = np.where(mask[0], 200, photo.pixels[..., 0])
    np.testing.assert_array_equal(read_photo(tmp_path / "out.png").pixels[..., 0], expected)


def test_inpaint_fills_nonzero_mask_pixels_and_preserves_alpha(command, photo, path, mask, tmp_path):
    command("inpaint", path, tmp_path / "out.png", "--mask", mask[1])
    made = read_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(made.pixels, np.where(mask[0][..., None], 200, photo.pixels))
    np.testing.assert_array_equal(made.alpha, photo.alpha)


def test_inpaint_ignores_transparent_mask_pixels(command, photo, path, mask, tmp_path):
    painted = np.zeros((6, 5, 4), np.uint8)
    painted[..., 1] = 90  # green everywhere, but opaque only in the hole
    painted[mask[0], 3] = 255
    Image.fromarray(painted).save(tmp_path / "painted.png")
    command("inpaint", path, tmp_path / "out.png", "--mask", tmp_path / "painted.png")
    expected = np.where(mask[0][..., None], 200, photo.pixels)
    np.testing.assert_array_equal(read_photo(tmp_path / "out.png").pixels, expected)


def test_restore_commands_reject_bad_input_in_one_line(refusal, path, gray, mask, photo, tmp_path):
    out, before = tmp_path / "out.png", path.read_bytes()
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(before[:60])
    for name, value in (("all", 255), ("none", 0)):
        Image.new("L", (5, 6), value).save(tmp_path / f"{name}.png")
    turned = np.zeros((5, 6), np.uint8)
    turned[1] = 9
    Image.fromarray(turned).save(tmp_path / "turned.png")
    for line, complaint in (
        (["upscale", path, out, "--scale", 5], "--scale must be above 1 and at most 3. Received: 5"),
        (
            ["upscale", path, out, "--scale", 2, "--model", "espcn.x2", "--real"],
            "--real must not be given with --model. Received: --model espcn.x2",
        ),
        (
            ["upscale", path, out, "--scale", 2, "--model", "espcn.x2", "--no-real"],
            "--no-real must not be given with --model. Received: --model espcn.x2",
        ),
        (["upscale", path, out, "--scale", 1], "--scale must be above 1 and at most 3. Received: 1"),
        (["upscale", path, out, "--scale", 3.1], "--scale must be above 1 and at most 3. Received: 3.1"),
        (
            ["upscale", path, out, "--scale", 2, "--model", "espcn.x3"],
            "--scale must be 3 for 'espcn.x3', or a fraction above 2. Received: 2",
        ),
        (
            ["upscale", path, out, "--scale", 0.5, "--model", "espcn.x2"],
            "--scale must be 2 for 'espcn.x2', or a fraction above 1. Received: 0.5",
        ),
        (["upscale", path, out, "--scale", 2, "--sharpness", 0.5], "--sharpness must not be given with 'espcn.x2'"),
        (["upscale", path, out, "--scale", 2, "--model", "espcn.y"], "Unknown checkpoint 'espcn.y'"),
        (
            ["upscale", path, path, "--scale", 2],
            f"The result must not replace {path}; give another name. Received: {path}",
        ),
        (["upscale", tmp_path / "x.png", out, "--scale", 2], f"{tmp_path / 'x.png'}: No such file or directory"),
        (["upscale", tmp_path / "broken.png", out, "--scale", 2], "broken.png cannot be read as an image"),
        (["upscale", path, tmp_path / "out.bmp", "--scale", 2], "must end in one of .png, .jpg, .jpeg, .webp"),
        (
            ["upscale", path, tmp_path / "out.jpg", "--scale", 2],
            "must end in one of .png, .webp, .gif, .tif, .tiff",
        ),
        (["upscale", tmp_path / "empty", tmp_path / "new", "--scale", 2], "empty must hold files of .png"),
        (["upscale", tmp_path, tmp_path, "--scale", 2], "The result must not replace "),
        (["upscale", tmp_path, path, "--scale", 2], "must go to a folder. Received: the file "),
        (
            ["denoise", path, out, "--model", "denoiser.gray_blind"],
            "must be gray for 'denoiser.gray_blind'; for color: denoiser.color_blind. Received: a color picture",
        ),
        (["denoise", path, out, "--model", "inpainter.photos64"], "which is no denoiser"),
        (
            ["inpaint", path, out, "--mask", mask[1], "--model", "denoiser.gray_blind"],
            "must be one such as inpainter.photos64. Received: 'denoiser.gray_blind', which is no inpainter",
        ),
        (["inpaint", path, mask[1], "--mask", mask[1]], "The result must not replace "),
        (["inpaint", path, out, "--mask", tmp_path / "turned.png"], "--mask must be of 5x6 pixels, as the picture"),
        (["inpaint", path, out, "--mask", tmp_path / "all.png"], "all.png, by which everything is missing"),
        (["inpaint", path, out, "--mask", tmp_path / "none.png"], "none.png, by which nothing is missing"),
        (["inpaint", path, out, "--mask", tmp_path / "x.png"], "x.png: No such file or directory"),
    ):
        assert complaint in refusal(*line)
    assert not out.exists() and path.read_bytes() == before and read_photo(mask[1]).pixels.any()


# -- folders ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(photo, tmp_path):
    """A folder with photographs in several formats and a text file."""
    made = tmp_path / "folder"
    save_photo(made / "a.png", photo.pixels, photo)
    save_photo(made / "b.JPG", photo.pixels, Photo(photo.pixels))
    Image.fromarray(photo.pixels).save(made / "c.bmp")
    save_photo(made / "d.webp", photo.pixels[..., :1], Photo(photo.pixels))
    (made / "readme.txt").write_text("no picture")
    return made


def test_upscale_writes_every_picture_of_folder(command, folder, tmp_path):
    out, err = command("upscale", folder, tmp_path / "new", "--scale", 2)
    names = ["a.png", "b.JPG", "c.png", "d.webp"]  # BMP is no output format
    said = f"left out: 1 entry that is no picture (1 .txt) in {folder}\n"
    assert out.splitlines() == [str(tmp_path / "new" / name) for name in names]
    assert err.startswith(f"{said}model: espcn.x2, for ") and err.count("\n") == 3
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    assert read_photo(tmp_path / "new" / "c.png").pixels.shape == (12, 10, 3)


def test_folder_commands_skip_and_report_failed_pictures(command, folder, mask, tmp_path):
    (folder / "b.JPG").write_text("no picture")
    out, err = command("denoise", folder, tmp_path / "new", code=2)
    assert [line.rpartition("/")[2] for line in out.splitlines()] == ["a.png", "c.png", "d.webp"]
    assert err.splitlines() == [
        f"left out: 1 entry that is no picture (1 .txt) in {folder}",
        f"left out: {folder / 'b.JPG'} cannot be read as an image: no known format",
        f"cnnzoo denoise: left out 1 of the 4 pictures in {folder}",
    ]
    Image.new("RGB", (9, 9)).save(folder / "c.bmp")
    out, err = command("inpaint", folder, tmp_path / "filled", "--mask", mask[1], code=2)
    assert [line.rpartition("/")[2] for line in out.splitlines()] == ["a.png", "d.webp"]
    assert f"left out: {folder / 'c.bmp'}: --mask must be of 9x9 pixels, as the picture" in err


def test_denoise_rejects_folder_with_duplicate_output_names(refusal, folder, tmp_path):
    (folder / "a.bmp").write_bytes((folder / "c.bmp").read_bytes())
    complaint = refusal("denoise", folder, tmp_path / "new")
    assert "Each result must come from one picture. Received: several for a.png" in complaint
    assert not (tmp_path / "new").exists()


def test_denoise_rejects_unknown_model_once_per_folder(refusal, folder, tmp_path):
    complaint = refusal("denoise", folder, tmp_path / "new", "--model", "denoiser.x")
    assert "Unknown checkpoint 'denoiser.x'" in complaint
    assert not (tmp_path / "new").exists()


# -- colors of transparent pixels -------------------------------------------------------------------------------------

HIDDEN = (255, 0, 255)


class Spy:
    """Stands in for any model and records its inputs."""

    image_shape, scale, task, styles = (None, None, 3), 2, "", ("wave",)

    def __init__(self):
        self.seen = []

    def upscale(self, x, ensemble=False):
        self.seen.append(x)
        return x.repeat(2, axis=0).repeat(2, axis=1)

    def enhance(self, x, strength):
        self.seen.append(x)
        return x

    def stylize(self, x, style, progress, mask, keep_color):
        self.seen.append(x)
        return x


class Filling(Spy):
    def restore(self, x, mask):
        self.seen.append(x)
        return np.where(mask[..., None], x.dtype.type(7), x)


class Cleaning(Spy):
    def restore(self, x, ensemble=False):
        self.seen.append(x)
        return x


@pytest.fixture
def cutout(tmp_path):
    """Writes a partly transparent photograph. The hidden color of the transparent pixels occurs nowhere else."""

    def make(dtype=np.uint8, edge=1.0):
        full = np.iinfo(dtype).max
        pixels = np.random.default_rng(0).integers(0, full // 2, (8, 9, 3), dtype)
        alpha = np.full((8, 9), full, dtype)
        alpha[:3], alpha[3] = 0, full * edge
        pixels[:3] = np.array(HIDDEN, dtype) * (full // 255)
        photo = Photo(pixels, alpha)
        save_photo(tmp_path / "cutout.png", pixels, photo)
        return photo, tmp_path / "cutout.png"

    return make


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("words", "spy"),
    [
        (["upscale", "--scale", 2, "--model", "spy"], Spy),
        (["denoise", "--model", "spy"], Cleaning),
        (["inpaint", "--model", "spy"], Filling),
        (["enhance", "--model", "spy"], Spy),
        (["stylize", "--style", "wave"], Spy),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_commands_hide_transparent_colors_from_model(command, cutout, words, spy, dtype, monkeypatch, tmp_path):
    model = spy()
    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: model)
    monkeypatch.setattr("cnnzoo.cli.models.check", lambda name, verb: None)
    monkeypatch.setattr("cnnzoo.cli.models.config", lambda name: {"scale": 2, "styles": ["wave"]})
    monkeypatch.setattr("cnnzoo.hub.build", lambda name: model)
    monkeypatch.setattr("cnnzoo.hub.list_checkpoints", lambda pattern="*": ["fast_style.paintings"])
    photo, path = cutout(dtype, edge=0.5)
    missing = np.zeros((8, 9), bool)
    missing[5:7, 2:4] = True
    Image.fromarray(missing).save(tmp_path / "mask.png")
    command(
        words[0], path, tmp_path / "out.png", *words[1:], *(["--mask", tmp_path / "mask.png"] if spy is Filling else [])
    )
    (seen,) = model.seen
    assert seen.dtype == dtype
    np.testing.assert_array_equal(seen[3:], photo.pixels[3:])  # including half-transparent pixels
    np.testing.assert_array_equal(seen[:3], photo.pixels[3:4].repeat(3, 0))  # colors of the nearest visible pixels
    made = read_photo(tmp_path / "out.png")
    assert made.pixels.dtype == dtype and made.alpha.dtype == dtype
    if words[0] != "upscale":
        np.testing.assert_array_equal(made.alpha, photo.alpha)


def test_inpaint_ignores_hole_colors_and_preserves_known_pixels(command, cutout, monkeypatch, tmp_path):
    model = Filling()
    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: model)
    photo, path = cutout()
    missing = np.zeros((8, 9), bool)
    missing[2:5, 4] = True
    Image.fromarray(missing).save(tmp_path / "mask.png")
    command("inpaint", path, tmp_path / "out.png", "--mask", tmp_path / "mask.png")
    beside = photo.pixels[3][[3, 5]].tolist()
    assert model.seen[0][1, 4].tolist() in beside  # a transparent pixel above the hole
    made = read_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(made.pixels, np.where(missing[..., None], 7, photo.pixels))
    np.testing.assert_array_equal(made.alpha, photo.alpha)


def test_inpaint_makes_filled_pixels_opaque(command, tmp_path):
    pixels, alpha = np.full((8, 9, 3), 90, np.uint8), np.full((8, 9), 255, np.uint8)
    alpha[2:4, 3:6] = 0
    save_photo(tmp_path / "in.png", pixels, Photo(pixels, alpha))
    Image.fromarray(alpha == 0).save(tmp_path / "mask.png")
    command("inpaint", tmp_path / "in.png", tmp_path / "out.png", "--mask", tmp_path / "mask.png")
    made = read_photo(tmp_path / "out.png")
    assert (made.alpha == 255).all() and (made.pixels[2:4, 3:6] == 200).all()


def test_upscale_has_no_fringe_and_ignores_opaque_alpha(command, monkeypatch, tmp_path):
    import cnnzoo

    model = cnnzoo.build("espcn.x2")
    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: model)
    y, x = np.mgrid[:32, :32]
    soft = np.clip(10.5 - np.hypot(y - 15.5, x - 15.5), 0, 1)
    disc = np.zeros((32, 32, 4), np.uint8)
    disc[..., 3] = np.rint(255 * soft)
    disc[soft > 0, :3] = 255
    Image.fromarray(disc).save(tmp_path / "disc.png")
    command("upscale", tmp_path / "disc.png", tmp_path / "large.png", "--scale", 2)
    large = np.asarray(Image.open(tmp_path / "large.png")).astype(float)
    reference = np.asarray(Image.fromarray(disc).resize((64, 64), Image.Resampling.BICUBIC)).astype(float)
    for ground in (0, 255):
        on, by_pillow = ((p[..., 3:] * p[..., :3] + (255 - p[..., 3:]) * ground) / 255 for p in (large, reference))
        assert np.abs(on - by_pillow).max() <= 2  # gray levels; white stays white
    photo = np.random.default_rng(0).integers(0, 256, (12, 11, 3), np.uint8)
    made = []
    for array in (photo, np.dstack([photo, np.full((12, 11), 255, np.uint8)])):
        Image.fromarray(array).save(tmp_path / "in.png")
        command("upscale", tmp_path / "in.png", tmp_path / "out.png", "--scale", 2)
        made.append(read_photo(tmp_path / "out.png"))
    np.testing.assert_array_equal(made[0].pixels, made[1].pixels)
    assert (made[1].alpha == 255).all()


# -- names, formats and folders ---------------------------------------------------------------------------------------


def test_upscale_rejects_output_above_format_limits_before_work(refusal, monkeypatch, tmp_path):
    monkeypatch.setattr(Enlarger, "upscale", lambda *given, **options: pytest.fail("it was worked out"))
    Image.new("L", (8200, 2)).save(tmp_path / "wide.png")
    complaint = refusal("upscale", tmp_path / "wide.png", tmp_path / "wide.webp", "--scale", 2)
    assert "at most 16383 pixels a side, or end in one of .png, .jpg, .jpeg, .gif, .tif, .tiff. Received: " in complaint
    Image.new("L", (2, 32800)).save(tmp_path / "tall.png")
    complaint = refusal("upscale", tmp_path / "tall.png", tmp_path / "tall.jpg", "--scale", 2)
    assert "at most 65500 pixels a side, or end in one of .png, .tif, .tiff. Received: " in complaint
    exif = Image.Exif()
    exif[270] = 70000 * "x"
    Image.new("L", (2, 2)).save(tmp_path / "told.png", exif=exif)
    complaint = refusal("upscale", tmp_path / "told.png", tmp_path / "told.jpg", "--scale", 2)
    assert "more than 65533 bytes of EXIF must end in one of .png, .webp, .gif, .tif, .tiff" in complaint


def test_denoise_rejects_invalid_output_path(refusal, path, tmp_path):
    (tmp_path / "out.png").mkdir()
    assert f"must be a file to write. Received: the folder {tmp_path / 'out.png'}" in refusal(
        "denoise", path, tmp_path / "out.png"
    )
    complaint = refusal("denoise", path, path / "deeper" / "out.png")
    assert f"out.png, but {path} is no folder" in complaint


def test_denoise_accepts_folder_of_tiffs_and_skips_hidden_files(command, photo, tmp_path):
    (tmp_path / "scans").mkdir()
    for name in ("a.tif", "b.TIFF", "c.png"):
        Image.fromarray(photo.pixels).save(tmp_path / "scans" / name)
    for name in ("._a.tif", ".hidden.png", ".DS_Store"):
        (tmp_path / "scans" / name).write_bytes(b"no picture")
    out, err = command("denoise", tmp_path / "scans", tmp_path / "scans" / "clean")
    assert [line.rpartition("/")[2] for line in out.splitlines()] == ["a.tif", "b.TIFF", "c.png"] and err == ""
    for name in ("d.txt", "e.nef", "f.nef"):
        (tmp_path / "scans" / name).touch()
    _, err = command("denoise", tmp_path / "scans", tmp_path / "scans" / "clean")
    assert err == f"left out: 3 entries that are no pictures (2 .nef, 1 .txt) in {tmp_path / 'scans'}\n"


def test_denoise_escapes_unprintable_names_on_stdout(photo, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b\u65e5\u672c.png", "c\udcff.png", "z.png"):
        Image.fromarray(photo.pixels).save(tmp_path / "in" / name)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert main(["denoise", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    names = [line.rpartition("/")[2] for line in written.getvalue().decode("cp1252").splitlines()]
    assert names == ["a.png", r"b\u65e5\u672c.png", r"c\udcff.png", "z.png"]
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_stylize_writes_frames_of_each_picture_to_own_folder(command, folder, monkeypatch, tmp_path):
    class Slow:
        def stylize(self, x, styles, weights, progress, mask, keep_color):
            progress(10, 10, np.full(x.shape, x.mean(), np.uint8))
            return x

    monkeypatch.setattr("cnnzoo.hub.build", lambda name: Slow())
    style, frames = folder / "a.png", tmp_path / "frames"
    command("stylize", folder, tmp_path / "out", "--style", style, "--frames", frames)
    names = ["a.png", "b.JPG", "c.bmp", "d.webp"]
    assert sorted(path.relative_to(frames).as_posix() for path in frames.glob("*/*")) == [
        f"{n}/00010.png" for n in names
    ]
    command("stylize", style, tmp_path / "one.png", "--style", style, "--frames", tmp_path / "single")
    assert [path.name for path in (tmp_path / "single").iterdir()] == ["00010.png"]


def test_upscale_selects_real_model_for_jpeg_content(command, photo, tmp_path):
    """The file content decides, not the suffix. --real, --no-real and --model override the choice."""
    (tmp_path / "in").mkdir()
    Image.fromarray(photo.pixels).save(tmp_path / "in" / "a.jpg")
    Image.fromarray(photo.pixels).save(tmp_path / "in" / "b.png")
    Image.fromarray(photo.pixels).save(tmp_path / "in" / "c.png", "JPEG")

    def black(*options):
        """Returns whether each result is black, as from the model for real photographs, and stderr."""
        _, err = command("upscale", tmp_path / "in", tmp_path / "out", "--scale", 2, *options)
        made = [read_photo(tmp_path / "out" / name).pixels for name in ("a.jpg", "b.png", "c.png")]
        return [not pixels.any() for pixels in made], err

    real = "model: espcn.x2_real, for JPEG files; --no-real for espcn.x2\n"
    clean = "model: espcn.x2, for files other than JPEG; --real for espcn.x2_real\n"
    assert black() == ([True, False, True], real + clean)
    assert black("--real") == ([True, True, True], "")
    assert black("--no-real") == ([False, False, False], "")
    assert black("--model", "espcn.x2") == ([False, False, False], "")
    assert black("--model", "espcn.x2_real") == ([True, True, True], "")


@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_upscale_by_fraction_matches_integer_scale_and_resize(command, tmp_path, deep):
    y, x = np.mgrid[:40, :31] / 40
    soft = (120 + 60 * np.stack([np.sin(3 * y), np.cos(2 * x), np.sin(y + x)], axis=2)) * (257 if deep else 1)
    pixels = np.dstack([soft, 200 + 0 * y]).astype(np.uint16 if deep else np.uint8)
    save_photo(tmp_path / "in.png", pixels[..., :3], Photo(pixels[..., :3], pixels[..., 3]))
    command("upscale", tmp_path / "in.png", tmp_path / "out.png", "--scale", 2.5)
    made = read_photo(tmp_path / "out.png")
    assert made.pixels.shape == (100, 78, 3) and made.pixels.dtype == pixels.dtype and made.alpha.shape == (100, 78)
    larger = resize(pixels[..., :3].repeat(3, 0).repeat(3, 1) / np.iinfo(pixels.dtype).max, (100, 78))
    np.testing.assert_allclose(made.pixels[4:-4, 4:-4] / np.iinfo(pixels.dtype).max, larger[4:-4, 4:-4], atol=0.02)
    np.testing.assert_array_equal(made.alpha, 200)
