"""What a variational autoencoder may keep beside its networks: the inputs of its prior, the warm-up of its KL."""

import keras
from keras import ops


class PseudoInputs(keras.layers.Layer):
    """`count` trained inputs of an encoder, (count, *shape), in [0, 1].

    Source: Tomczak and Welling, "VAE with a VampPrior", 2018.
    """

    def __init__(self, count: int, shape: tuple[int, ...], **kwargs):
        super().__init__(dtype="float32", **kwargs)
        start = keras.initializers.RandomNormal(-2.0, 1.0)  # as dark as most pictures of black and white are
        self.logits = self.add_weight((count, *shape), start, name="logits")
        self.built = True

    def call(self, _=None):
        return ops.sigmoid(self.logits)


class WarmUp(keras.layers.Layer):
    """t / steps at the training step t = 0, 1, 2, ..., and 1 from t = steps on; 1 outside training.

    Source: Bowman et al., "Generating Sentences from a Continuous Space", 2016, and Sønderby et al., "Ladder
    Variational Autoencoders", 2016.
    """

    def __init__(self, steps: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.steps = steps
        # Every replica counts the same steps, so that nothing is to be aggregated.
        self.done = self.add_weight((), "zeros", trainable=False, name="done")
        self.built = True

    def call(self, _=None, training=False):
        if not training:
            return 1.0
        now = self.done + 1.0  # a tensor: the variable itself would be read after it is assigned
        self.done.assign(ops.minimum(now, self.steps))
        return (now - 1.0) / self.steps
