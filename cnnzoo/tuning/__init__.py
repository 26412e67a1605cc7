"""Hyperparameter search with keras-tuner, by a metric on validation images.

spec          the arguments of a search, checked
space         the fields and their domains
oracles       keras-tuner's oracles, resumable
runner        trials as training runs
objectives    the metric of a trial
results       the folder of a search
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnzoo.data.addresses import folder_name
from cnnzoo.tuning.results import Search, Trial, open_or_create
from cnnzoo.tuning.space import Space

__all__ = ["Search", "Trial", "tune"]


def tune(
    name: str,
    *,
    data: str | Path,
    tuner: str = "bayesian",
    trials: int = 12,
    epochs: int = 5,
    limit: int | None = None,
    seed: int = 0,
    objective: str | None = None,
    space: Space | None = None,
    config: Mapping[str, Any] | None = None,
    crop: int | None = None,
    out: str | Path | None = None,
    callbacks: Sequence = (),
    verbose: Any = "auto",
) -> Search:
    """Searches hyperparameters of an architecture on a data set.

    Every trial is a run of `cnnzoo.train` with the same seed on the same number of images of the split "fit", and is
    scored by `objective` on the split "validation"; the test split is never used. The first trial has the default
    settings of the architecture, so that the others compare with it at equal cost. A trial that diverges, or has
    invalid settings, fails, and the search continues.

    The folder always holds the current results; the same call resumes a search that was killed. Several processes
    share a search and its folder if keras-tuner's `KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP` and
    `KERASTUNER_ORACLE_PORT` are set. For TensorBoard's HParams: `tensorboard --logdir FOLDER`.

    Args:
        name: An architecture.
        data: The name of a data set, or a folder.
        tuner: keras-tuner's "random", "hyperband" or "bayesian". Hyperband trains most of its trials for fewer epochs
            and continues the best; each of the two counts as a trial.
        trials: The number of trials, at most; fewer if the space has fewer points.
        epochs: Epochs of each trial.
        limit: Train on at most this number of images; all by default.
        seed: The seed of the draws and of all randomness in each trial.
        objective: The metric; by default "accuracy" of classifiers, "iw_nll" of VAEs, "mse" of other autoencoders,
            "frechet" of generators, "psnr" or "hole_psnr" of restoration.
        space: The search space, `{field: [values] or (low, high)}`, instead of the architecture's `search_space`. See
            `cnnzoo.tuning.space`.
        config: Fixed fields of the configuration, which are not searched.
        crop: As in `cnnzoo.train`.
        out: The folder; by default `runs/<arch>.<data>.search`.
        callbacks: Further Keras callbacks of each training.
        verbose: 0 prints nothing; any other value one line per trial and the table.

    Returns:
        The finished search, with its trials, the `best` one, and its `recipe` for `cnnzoo.train`.

    Raises:
        UnknownName: There is no such architecture or data set.
        ValueError: An argument out of range; an unknown tuner, field or objective; a folder that holds another search;
            data that do not fit the model; or all trials have failed.
        KeyboardInterrupt: After SIGINT or SIGTERM; the same call resumes.
    """
    from cnnzoo.tuning.runner import SearchRunner
    from cnnzoo.tuning.spec import search_spec

    spec = search_spec(
        name,
        data=data,
        tuner=tuner,
        trials=trials,
        epochs=epochs,
        limit=limit,
        seed=seed,
        objective=objective,
        space=space,
        config=config,
        crop=crop,
    )
    path = Path(out) if out is not None else Path("runs") / f"{name}.{folder_name(spec.settings['data'])}.search"
    search = open_or_create(path, spec.settings)
    if search is None or not search.finished:
        search = SearchRunner(path, spec, callbacks, verbose).search()
    search.check()
    if verbose:
        search.print()
    return search
