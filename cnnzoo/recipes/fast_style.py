"""Recipes of `fast_style`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # A sixth of the steps, on smaller crops and without the discriminator, gave a style loss of 0.089, with the same
    # hatching in all styles.
    "paintings": Recipe(
        summary="The fast style network with six paintings",
        cost="Three quarters of an hour on one core",
        data="t91+bsds500",
        epochs=14,
        batch_size=2,
        crop=192,
        expects="a style loss of 0.058 and a content loss of 1.92 on BSD100",
        published=(
            "none that compares: the losses of the papers are in the features of VGG, those here in the features of "
            "`vgg_small.cifar10`"
        ),
        config={
            "styles": ("composition_vii", "shipwreck", "starry_night", "the_scream", "udnie", "wave"),
            "content_weight": 3.0,
            "style_weight": 25.0,
            "variation_weight": 6.0,
            "adversarial_weight": 1.0,
        },
        optimizers=lambda updates: {
            **adam_cosine(1e-3, "discriminator", beta_1=0.5)(updates),
            **adam_cosine(2e-3, "painter")(updates),
        },
    ),
}
