"""Images as arrays and files: color, resampling, degradations, masks, tiling, grids, figures."""
