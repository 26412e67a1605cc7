"""Pure building blocks of networks: layers, losses, label conditioning, batch-norm folding, entropy coding."""
