"""A wider `cnn`: 110 thousand parameters, most of them in its last convolution."""

from cnnzoo.models.cnn import CNN
from cnnzoo.registry import register


@register("cnn_wide")
class CNNWide(CNN):
    """Convolutions with 32, 64 and 128 filters, each pooled, and a dense layer of 128; options as in `CNN`."""

    filters = (32, 64, 128)
    pooled = 3
    hidden = 128
