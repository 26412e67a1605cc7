"""Looking along the latent space of a model, as contact sheets."""

import argparse
from itertools import pairwise

from cnnzoo.commands.models import able, find
from cnnzoo.commands.pictures import check_sheet, read, save_sheet
from cnnzoo.terminal import print_json, print_table, progress


def interpolate(asked: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.latent import interpolate

    if len(asked.image) == 1:
        raise ValueError("got one image; allowed: none, or two and more")
    if asked.ways < 1:
        raise ValueError(f"got --ways {asked.ways}; allowed: >= 1")
    with progress(f"going through {asked.name}"):
        model = _latent(asked.name)
        if asked.image:
            pairs = list(pairwise(_codes(asked, model)))
        else:
            pairs = _noise(asked, model, 2 * asked.ways).reshape(asked.ways, 2, -1)
        check_sheet(asked.out, len(pairs) * asked.steps, asked.steps, model)
        made = [interpolate(model, a, b, asked.steps, not asked.straight, asked.label) for a, b in pairs]
    save_sheet(asked.out, np.concatenate(made), asked.steps)


def traverse(asked: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.latent import traverse

    for option in ("dimensions", "steps"):
        if getattr(asked, option) < 1:
            raise ValueError(f"got --{option} {getattr(asked, option)}; allowed: >= 1")
    with progress(f"going through {asked.name}"):
        model = _latent(asked.name)
        z = (_codes(asked, model) if asked.image else _noise(asked, model, 1))[0]
        rows = min(asked.dimensions, model.latent_dim)
        check_sheet(asked.out, rows * asked.steps, asked.steps, model)
        values = np.linspace(-3, 3, asked.steps)
        made = [traverse(model, z, i, values, asked.label) for i in range(rows)]
    save_sheet(asked.out, np.concatenate(made), asked.steps)


def invert(asked: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.imaging.arrays import to_uint8
    from cnnzoo.latent import images_of, invert

    with progress(f"searching in {asked.name}"):
        model = _latent(asked.name)
        check_sheet(asked.out, 2 * len(asked.image), len(asked.image), model)
        images = read(asked.image, model, asked.invert)
        found = invert(model, images, asked.steps, seed=asked.seed)
        made = to_uint8(images_of(model, found.z))
    save_sheet(asked.out, np.concatenate([images, made]), len(images), quiet=asked.json)
    errors = [(str(path), float(error)) for path, error in zip(asked.image, found.error, strict=True)]
    if asked.json:
        rows = zip(errors, found.z.tolist(), strict=True)
        return print_json([{"image": path, "mse": error, "z": z} for (path, error), z in rows])
    print_table("", ("image", "mean squared error"), [(path, f"{error:.4g}") for path, error in errors])


def nearest(asked: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.data import load
    from cnnzoo.imaging.arrays import to_uint8
    from cnnzoo.latent import nearest

    with progress(f"comparing {asked.name} with its training images"):
        model, data = able(asked.name, "generate"), asked.data or find(asked.name)[1]
        check_sheet(asked.out, 2 * asked.n, asked.n, model)
        samples = to_uint8(model.generate(asked.n, seed=asked.seed))
        found = nearest(samples, data, asked.extractor)
        known = load(data, "train", shape=model.image_shape).images[found.indices]
    save_sheet(asked.out, np.concatenate([samples, known]), asked.n, quiet=asked.json)
    if asked.json:
        about = {"indices": found.indices.tolist(), "distances": found.distances.tolist(), "ratio": found.ratio}
        return print_json(about)
    print(f"as far from the training images as test images are, times {found.ratio:.2f} (near 0: copies)")


def _latent(name: str):
    """The trained model `name`, which must have latent vectors."""
    model = able(name, "image_shape")
    if model.task == "classify":
        raise ValueError(f"got {name!r}, whose task is 'classify'; allowed: a model that generates or reconstructs")
    return model


def _codes(asked: argparse.Namespace, model):
    if not hasattr(model, "encode"):
        raise ValueError(f"got images for {asked.name!r}, which cannot encode them; allowed: none, or an autoencoder")
    images = asked.image if isinstance(asked.image, list) else [asked.image]
    return model.encode(read(images, model, asked.invert))


def _noise(asked: argparse.Namespace, model, n: int):
    """n latent vectors of a model that makes images of them."""
    if asked.invert:
        raise ValueError("got --invert without images; allowed: with images")
    if not hasattr(model, "draw"):
        raise ValueError(f"got no image for {asked.name!r}, which cannot draw latents; allowed: images to begin with")
    return model.draw(n, asked.seed)
