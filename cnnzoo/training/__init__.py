"""How the models are trained: the one training step, the loop around it and the recipes."""
