"""Files of pictures as tensors in a TensorFlow graph, and back: what the `*_bytes` signatures do around a model.

Of stock operations alone, so that a server needs no Python for them. What cannot be decoded raises InvalidArgument,
which fails the one request.
"""

import numpy as np
import tensorflow as tf

LARGEST = 2**24  # pixels of a picture: a few kilobytes could else claim the memory of the whole server
GREY = np.array([[0.299], [0.587], [0.114]], np.float32)  # as in `cnnzoo.images.to_channels`


def checked(tensor, holds, message: str):
    """The tensor, which nothing computes with before `holds` was found true everywhere; else InvalidArgument.

    A graph runs what does not wait for a check beside it: a picture too large would be decoded meanwhile.
    """
    with tf.control_dependencies([tf.debugging.assert_equal(holds, True, message)]):
        return tf.identity(tensor)


def from_bytes(contents, shape):
    """One PNG, JPEG or GIF, a scalar string, as float32 (height, width, channels) in [0, 1], upright.

    Args:
        contents: The bytes of the file.
        shape: (height, width, channels) of the result: 1 or 3 channels, and where a side is None those of the picture.
    """
    contents = checked(contents, pixels(contents) <= LARGEST, f"a picture of more than {LARGEST} pixels")
    # This operation reads all three formats, and of JPEG the exact pixels that other programs show.
    image = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
    image = tf.cast(upright(image, orientation(contents)), tf.float32)
    height, width, channels = shape
    if channels == 1:
        image = tf.round(tf.tensordot(image, GREY, 1))
    if height and width:
        for size in ((tf.shape(image)[0], width), (height, width)):  # the order and the rounding are Pillow's
            resized = tf.image.resize(image, size, "bicubic", antialias=True)
            image = tf.clip_by_value(tf.round(resized), 0.0, 255.0)
    return tf.ensure_shape(image, shape) / 255.0


def to_bytes(image):
    """float32 (height, width, 1 or 3) as the bytes of a PNG; what leaves [0, 1] is clipped."""
    return tf.io.encode_png(tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8))


def upright(image, value):
    """An image (height, width, channels) turned as an EXIF orientation says, an integer from 1 to 8."""
    turned = tf.transpose(image, tf.where(value >= 5, [1, 0, 2], [0, 1, 2]))
    rows, columns = (tf.reduce_any(tf.equal(value, which)) for which in ([3, 4, 7, 8], [2, 3, 6, 7]))
    return tf.raw_ops.Reverse(tensor=turned, dims=tf.stack([rows, columns, False]))


def orientation(contents):
    """The orientation in the EXIF of a JPEG or PNG, an int32 from 1 to 8; 1 where there is none or it is damaged.

    Source: CIPA DC-008 (EXIF 2.32), sections 4.5.2 and 4.6.2; PNG specification, third edition, 11.3.4.5.
    """
    head = tf.io.decode_raw(tf.strings.substr(contents, 0, 2**17), tf.uint8)
    head = tf.cast(tf.concat([head, tf.zeros(64, tf.uint8)], 0), tf.int32)  # zeros for who reads beyond the end
    last = tf.size(head) - 1

    def at(place, size, little):
        """The unsigned numbers of `size` bytes at places (...)."""
        read = [tf.gather(head, tf.clip_by_value(place + i, 0, last)) for i in range(size)]
        forwards = sum(byte * 256**i for i, byte in enumerate(read))
        return tf.where(little, forwards, sum(byte * 256**i for i, byte in enumerate(reversed(read))))

    # The segment APP1 of a JPEG or the chunk eXIf of a PNG holds a TIFF header, to which all places in it are relative.
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


def pixels(contents):
    """How many pixels the header of a file claims, a float32; 0 where it is neither PNG, GIF nor JPEG."""
    head = tf.strings.join([tf.strings.substr(contents, 0, 24), bytes(24)])  # no header is too short

    def numbers(start, size, order):
        read = tf.io.decode_raw(tf.strings.substr(head, start, 2 * size), tf.uint8)  # width and height
        weights = [256.0**i for i in range(size)]
        return tf.reduce_prod(tf.tensordot(tf.reshape(tf.cast(read, tf.float32), (2, size))[:, ::order], weights, 1))

    def starts(*magic):
        return tf.reduce_any([tf.strings.substr(head, 0, len(m)) == m for m in magic])

    def of_jpeg():
        return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.float32))

    return tf.case(
        [
            (starts(b"\xff\xd8"), of_jpeg),
            (starts(b"\x89PNG"), lambda: numbers(16, 4, -1)),
            (starts(b"GIF8"), lambda: numbers(6, 2, 1)),
        ],
        default=lambda: 0.0,
    )
