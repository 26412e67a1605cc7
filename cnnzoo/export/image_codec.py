"""PNG and JPEG decoding and encoding in a TensorFlow graph, for the `*_bytes` signatures.

Only built-in operations, so that a server needs no Python. Undecodable bytes raise InvalidArgument, which fails one
request.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

LARGEST = 2**24  # pixels of an image: otherwise a few kilobytes could decode to all memory of the server
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # the signature, and the start of the first chunk, which has the size
JPEG = b"\xff\xd8\xff"
LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # as in `cnnzoo.imaging.arrays.to_channels`


def checked(tensor: tf.Tensor, holds: tf.Tensor, message: str) -> tf.Tensor:
    """The tensor, with a control dependency on `holds` being true everywhere; otherwise InvalidArgument.

    Without the dependency, a graph could decode an oversized image before the check fails.
    """
    with tf.control_dependencies([tf.debugging.assert_equal(holds, True, message)]):
        return tf.identity(tensor)


def bounded(contents: tf.Tensor) -> tf.Tensor:
    """The bytes of a file, checked to be a PNG or JPEG of at most `LARGEST` pixels.

    Other formats that TensorFlow decodes are refused: their headers do not bound the memory of their frames.
    """
    known = tf.reduce_any([starts(contents, PNG), starts(contents, JPEG)])
    contents = checked(contents, known, "A picture must be a PNG or JPEG. Received: another file")
    return checked(
        contents, pixels(contents) <= LARGEST, f"A picture must have at most {LARGEST} pixels. Received: more"
    )


def from_bytes(contents: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """One PNG or JPEG, a scalar string, as float32 (height, width, channels) in [0, 1], upright.

    Transparent parts are composited as by `cnnzoo.imaging.transparency.flattened`.

    Args:
        contents: The bytes of the file.
        shape: (height, width, channels) of the result: 1 or 3 channels; a side of None is the side of the image.
    """
    contents = bounded(contents)
    image = flattened(*with_opacity(contents))
    image = upright(image, orientation(contents))
    if shape[2] == 1:
        image = tf.round(tf.tensordot(image, LUMA, 1))
    return tf.ensure_shape(fitted(image, shape), shape) / 255.0


def mask_from_bytes(contents: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """A mask, one PNG or JPEG, as float32 (height, width, 1): 1 where a pixel is missing, else 0.

    The rules are those of `cnnzoo.imaging.given_masks.read_mask`. With a single value besides 0, pixels of that value
    are painted, else those at half of white or more. In a mask with transparent parts, the opaque parts are missing;
    all or none of them must be painted.
    """
    contents = bounded(contents)
    turn = orientation(contents)
    image, opacity = (upright(part, turn) for part in with_opacity(contents))
    opaque = opacity >= 0.5
    brightest = tf.cast(tf.reduce_max(image, 2, keepdims=True), tf.int32) * tf.cast(opaque, tf.int32)
    two = tf.reduce_all(tf.equal(brightest, 0) | tf.equal(brightest, tf.reduce_max(brightest)))
    painted = tf.where(two, brightest > 0, brightest >= 128)
    clear = tf.reduce_all(tf.equal(painted, opaque) | tf.equal(opaque, False)) | ~tf.reduce_any(painted & opaque)
    whole = tf.reduce_all(opaque)
    painted = checked(
        painted,
        whole | clear,
        "The parts of a mask that are not transparent must be all black or all painted. Received: both",
    )
    missing = tf.cast(tf.where(whole, painted, opaque), tf.float32)
    return tf.ensure_shape(tf.cast(fitted(missing * 255.0, shape) >= 128.0, tf.float32), shape)


def with_opacity(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixels of a checked PNG or JPEG, float32 (height, width, 3) in [0, 255], and their opacity in [0, 1].

    JPEG is decoded to the same pixels as by other programs.
    """

    def of_jpeg() -> tf.Tensor:
        image = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
        return tf.concat([image, 255 * tf.ones_like(image[..., :1])], 2)

    is_png = starts(contents, PNG)
    image = tf.cond(is_png, lambda: tf.io.decode_png(contents, channels=4), of_jpeg)
    image = tf.cast(tf.ensure_shape(image, (None, None, 4)), tf.float32)
    # Without an alpha channel, alpha is the maximum of the PNG's bit depth: 1 for one bit, 255 for eight.
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 24, 1), tf.uint8)[0], tf.int32)
    full = tf.cast(tf.bitwise.left_shift(1, tf.clip_by_value(bits, 1, 8)) - 1, tf.float32)
    alpha = image[..., 3:]
    full = tf.where(is_png & (tf.reduce_max(alpha) <= full), full, 255.0)
    return image[..., :3], alpha / full


def flattened(image: tf.Tensor, opacity: tf.Tensor) -> tf.Tensor:
    """An image in [0, 255] on white, or on black if its visible part is light; see `cnnzoo.imaging.transparency`."""

    def composited() -> tf.Tensor:
        seen, light = tf.reduce_sum(opacity), tf.reduce_sum(opacity * tf.reduce_mean(image, 2, keepdims=True))
        ground = tf.where((seen > 0.0) & (light > 127.5 * seen), 0.0, 255.0)
        return tf.round(opacity * image + (1.0 - opacity) * ground)

    return tf.cond(tf.reduce_all(opacity >= 1.0), lambda: image, composited)


def fitted(image: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """An image in [0, 255] resized to a shape with fixed sides, as by `cnnzoo.imaging.arrays.fit_to`."""
    height, width, _ = shape
    if height and width:
        image = middle(image, height, width)
        for size in ((tf.shape(image)[0], width), (height, width)):  # Pillow's order and rounding
            image = tf.clip_by_value(tf.round(tf.image.resize(image, size, "bicubic", antialias=True)), 0.0, 255.0)
    return image


def middle(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The largest central crop of an image (h, w, c) with the aspect ratio of `height` to `width`."""
    have = tf.cast(tf.shape(image)[:2], tf.int64)
    sides = (
        tf.clip_by_value((2 * have[1] * height + width) // (2 * width), 1, have[0]),
        tf.clip_by_value((2 * have[0] * width + height) // (2 * height), 1, have[1]),
    )
    top, left = (have[0] - sides[0]) // 2, (have[1] - sides[1]) // 2
    return image[top : top + sides[0], left : left + sides[1]]


def to_bytes(image: tf.Tensor) -> tf.Tensor:
    """float32 (height, width, 1 or 3), clipped to [0, 1], as the bytes of a PNG."""
    return tf.io.encode_png(tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8))


def upright(image: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """An image (height, width, channels) with an EXIF orientation, 1 to 8, applied."""
    turned = tf.transpose(image, tf.where(value >= 5, [1, 0, 2], [0, 1, 2]))
    rows, columns = (tf.reduce_any(tf.equal(value, which)) for which in ([3, 4, 7, 8], [2, 3, 6, 7]))
    return tf.raw_ops.Reverse(tensor=turned, dims=tf.stack([rows, columns, False]))


def orientation(contents: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of a JPEG or PNG, an int32 from 1 to 8; 1 if it is missing or damaged.

    Source: CIPA DC-008 (EXIF 2.32), sections 4.5.2 and 4.6.2; PNG specification, third edition, 11.3.4.5.
    """
    head = tf.io.decode_raw(tf.strings.substr(contents, 0, 2**17), tf.uint8)
    head = tf.cast(tf.concat([head, tf.zeros(64, tf.uint8)], 0), tf.int32)  # zeros for reads beyond the end
    last = tf.size(head) - 1

    def at(place: tf.Tensor, size: int, little: tf.Tensor | bool) -> tf.Tensor:
        """The unsigned integers of `size` bytes at offsets (...)."""
        read = [tf.gather(head, tf.clip_by_value(place + i, 0, last)) for i in range(size)]
        forwards = sum(byte * 256**i for i, byte in enumerate(read))
        return tf.where(little, forwards, sum(byte * 256**i for i, byte in enumerate(reversed(read))))

    # The segment APP1 of a JPEG or the chunk eXIf of a PNG holds a TIFF header; all offsets are relative to it.
    marks = tf.where(tf.equal(head[0], 0xFF), list(b"Exif\0\0"), [*b"eXIf", 0, 0])
    length = tf.where(tf.equal(head[0], 0xFF), 6, 4)
    start = tf.range(last - 6)
    is_mark = [tf.equal(tf.gather(head, start + i), marks[i]) | (i >= length) for i in range(6)]
    found = tf.where(tf.reduce_all(is_mark, 0))[:1, 0]  # (0 or 1,)
    tiff = tf.cast(tf.reduce_sum(found), tf.int32) + length
    little = tf.equal(at(tiff, 1, True), ord("I"))
    directory = tiff + at(tiff + 4, 4, little)
    entries = directory + 2 + 12 * tf.range(tf.minimum(at(directory, 2, little), 512))
    is_orientation = tf.equal(at(entries, 2, little), 0x0112) & tf.equal(at(entries + 2, 2, little), 3)  # a SHORT
    values = tf.boolean_mask(at(entries + 8, 2, little), is_orientation)[:1]
    value = tf.reduce_sum(values) * tf.size(found)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def starts(contents: tf.Tensor, magic: bytes) -> tf.Tensor:
    """Whether the bytes of a file begin with `magic`."""
    return tf.strings.substr(tf.strings.join([contents, bytes(len(magic))]), 0, len(magic)) == magic


def pixels(contents: tf.Tensor) -> tf.Tensor:
    """The number of pixels in the header of a PNG or JPEG, a float32; infinite for other formats."""

    def of_png() -> tf.Tensor:
        sides = tf.io.decode_raw(tf.strings.substr(contents, 16, 8), tf.uint8)  # width and height, big-endian
        sides = tf.tensordot(tf.reshape(tf.cast(sides, tf.float32), (2, 4)), [256.0**3, 256.0**2, 256.0, 1.0], 1)
        return tf.reduce_prod(sides)

    def of_jpeg() -> tf.Tensor:
        return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.float32))

    has_sides = starts(contents, PNG) & (tf.strings.length(contents) >= 24)
    return tf.case([(has_sides, of_png), (starts(contents, JPEG), of_jpeg)], default=lambda: float("inf"))
