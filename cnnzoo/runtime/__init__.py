"""Checkpoints with graphs, run by ONNX Runtime: the photograph commands without TensorFlow and Keras.

session         the graphs of a checkpoint, opened and run
photographs     the verbs for photographs of any size, as those of the Keras models
edits           the verbs on whole photographs: transparency, channels, metadata
"""

from cnnzoo.runtime.photographs import Enhancer, Inpainter, Painter, Restorer, Upscaler, open_model

__all__ = ["Enhancer", "Inpainter", "Painter", "Restorer", "Upscaler", "open_model"]
