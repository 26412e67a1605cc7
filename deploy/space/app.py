"""The app on a Hugging Face Space."""

import cnnzoo

cnnzoo.app(host="0.0.0.0", port=7860, megabytes=16, megapixels=8)
