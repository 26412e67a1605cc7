"""`cnnzoo nearest`"""

import argparse

from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.pictures import check_sheet, save_sheet
from cnnzoo.utils.terminal import print_json, progress

HELP = "show samples above their nearest training images, to detect copies"
EXAMPLES = (
    "cnnzoo nearest dcgan.mnist",
    "cnnzoo nearest dcgan.fashion_mnist -n 100 --extractor cnn.fashion_mnist --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    parser.add_argument("-n", type=arguments.integer(1), default=16, help="number of samples (default: 16)")
    parser.add_argument("--data", help="a data set or a folder (default: the training data of the model)")
    parser.add_argument(
        "--extractor", metavar="NAME", help="the classifier whose features are compared (default: pixels)"
    )
    arguments.seed(parser)
    arguments.sheet(parser)
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.data import load
    from cnnzoo.imaging.arrays import to_uint8

    checks.data(args.data)
    checks.classifier(args.extractor)
    with progress(f"comparing {args.name} with its training images"):
        model, data = models.load_with_method(args.name, "generate"), args.data or models.resolve(args.name)[1]
        check_sheet(args.out, 2 * args.n, args.n, model)
        samples = to_uint8(model.generate(args.n, seed=args.seed))
        from cnnzoo.latent import nearest  # with Keras

        found = nearest(samples, data, args.extractor)
        known = load(data, "train", shape=model.image_shape).images[found.indices]
    save_sheet(args.out, np.concatenate([samples, known]), args.n, args.pixels, quiet=args.json)
    if args.json:
        about = {"indices": found.indices.tolist(), "distances": found.distances.tolist(), "ratio": found.ratio}
        return print_json(about)
    told = f"{found.ratio:.2f} times that of test images (near 0: copies)"
    print(f"median distance to the nearest training image: {told}")
