"""The Inception network of 2015, the feature extractor of the published FID, KID and Inception score.

It is not bundled: it is downloaded once, to `CNNZOO_DATA_DIR`, and verified by its SHA-256. Its scores are named
`inception2015_…`; scores with classifiers of the zoo are not an FID.

Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016; the frozen graph is that of
the archive `inception-2015-12-05.tgz`, which Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a
Local Nash Equilibrium", 2017, used for the FID.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cnnzoo.data import DataNotFound
from cnnzoo.data.download import fetch
from cnnzoo.data.network import is_reachable
from cnnzoo.data.public import Single
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.utils.atomic_files import data_dir, sha256

URL = "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/classify_image_graph_def.pb"
SHA256 = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"
BYTES = 95_673_916
FOLDER = "inception-2015-12-05"
SPLITS = 10  # of the Inception score
BATCH = 50  # images per pass

IMAGES = "ExpandDims:0"  # (n, height, width, 3) in [0, 255]; the graph resizes them itself
FEATURES, LOGITS = "pool_3:0", "softmax/logits/MatMul"


def graph_file() -> Path:
    """The path of the frozen graph, downloaded if missing.

    Raises:
        DataNotFound: For a missing file without network access, within a second.
        ValueError: For a file with another SHA-256; it is neither read nor deleted. Or for such a download.
    """
    path = data_dir() / FOLDER / Path(urlsplit(URL).path).name
    if not path.exists():
        _fetch(path)
    _check(path)
    return path


def _fetch(path: Path) -> None:
    host = str(urlsplit(URL).hostname)
    by_hand = f"put the file from {URL} there yourself, or name the folder with {FOLDER} in CNNZOO_DATA_DIR"
    try:
        if not is_reachable(host):
            raise ConnectionError(f"{host} cannot be reached. Try it with a network, or {by_hand}")
        fetch(Single(path.name, URL, BYTES, SHA256), path, by_hand)
    except ConnectionError as error:
        raise DataNotFound(f"The Inception network of 2015 must be at {path}, and cannot be fetched: {error}") from None


def _check(path: Path) -> None:
    found = sha256(path)
    if found != SHA256:
        raise ValueError(f"{path} must be the Inception network of 2015 with sha256 {SHA256}. Received: sha256 {found}")


def network() -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A function from uint8 images (n, height, width, 1 or 3) to features (n, 2048) and probabilities (n, 1008).

    The probabilities omit the bias of the last layer, as in Salimans et al., "Improved Techniques for Training GANs",
    2016.

    Raises:
        DataNotFound, ValueError: As `graph_file`.
    """
    path = graph_file()
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)])
    def run(images: Any) -> Any:
        pooled, logits = tf.graph_util.import_graph_def(graph, {IMAGES: images}, [FEATURES, LOGITS])
        found = tf.squeeze(pooled, (1, 2))  # (n, 1, 1, 2048) -> (n, 2048)
        return found, tf.nn.softmax(tf.matmul(found, logits.inputs[1]))

    def of(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batches = (to_channels(images[i : i + BATCH], 3).astype(np.float32) for i in range(0, len(images), BATCH))
        features, chances = zip(*(run(batch) for batch in batches), strict=True)
        return np.concatenate(features), np.concatenate(chances)

    return of
