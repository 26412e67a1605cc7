"""Networks that judge images: feature maps, perceptual distance, random features, VGG19, Inception."""
