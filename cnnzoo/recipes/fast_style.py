"""Recipes of `fast_style`."""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPES = {
    # Without the discriminator all styles have the same hatching. With a content weight of 3, a style weight of 25 and
    # an adversarial weight of 1, faces are lost and dark areas get stripes.
    "paintings": Recipe(
        summary="The fast style network with six paintings",
        cost="70 minutes on one core",
        data="t91+bsds500",
        epochs=24,
        split="fit",
        batch_size=2,
        crop=192,
        expects="a style loss of 0.095 and a content loss of 1.52 on BSD100",
        published=(
            "none that compares: the losses of the papers are in the features of VGG, those here in the features of "
            "`vgg_small.cifar10`"
        ),
        config={
            "styles": ("composition_vii", "shipwreck", "starry_night", "the_scream", "udnie", "wave"),
            "content_weight": 12.0,
            "style_weight": 40.0,
            "variation_weight": 6.0,
            "adversarial_weight": 4.0,
        },
        optimizers=lambda updates: {
            **adam_cosine(1e-3, "discriminator", beta_1=0.5)(updates),
            **adam_cosine(2e-3, "painter")(updates),
        },
    ),
}
