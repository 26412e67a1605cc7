"""Search: an architecture is trained with many settings, and the zoo's own metric on validation images chooses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnzoo.tuning.results import Search, Trial, claim
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
    """Searches good settings for an architecture on a data set.

    Every trial is a run of `cnnzoo.train` from the same seed on as many images, those of the split "fit", and is judged
    by `objective` on the split "validation"; the test split is never looked at. The first trial has the architecture's
    own settings, so that the rest compare with it at equal cost. A trial that diverges, or whose settings make no
    sense, has failed, and the search goes on.

    What came of it is in the folder at any time; the same call goes on with a search that was killed. So do several
    processes at once, where keras-tuner's `KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT`
    say who is the chief; they share the folder. For TensorBoard's HParams: `tensorboard --logdir FOLDER`.

    Args:
        name: An architecture.
        data: A data set's name or a folder.
        tuner: keras-tuner's "random", "hyperband" or "bayesian". Hyperband trains most of its trials for fewer epochs
            and goes on with the best; each of the two counts as a trial.
        trials: At most so many; fewer where the space has no more.
        epochs: Of each trial.
        limit: Train on so many of the images alone; all by default.
        seed: Of the draws and of everything random in each trial.
        objective: The metric; by default "accuracy" of classifiers, "iw_nll" of VAEs, "mse" of other autoencoders,
            "frechet" of generators, "psnr" or "hole_psnr" of what restores.
        space: What is searched, `{field: [values] or (low, high)}`, instead of the architecture's `search_space`. See
            `cnnzoo.tuning.space`.
        config: Fields of the configuration that stay as they are given here, and are not searched.
        crop: As in `cnnzoo.train`.
        out: The folder; by default `runs/<arch>.<data>.search`.
        callbacks: Further Keras callbacks of each training.
        verbose: 0 prints nothing, all else a line for each trial and the table.

    Returns:
        The finished search: its trials, `best` one and `recipe`, which `cnnzoo.train` takes.

    Raises:
        UnknownName: There is no such architecture or data set.
        ValueError: An argument out of range; an unknown tuner, field or objective; a folder that holds another search;
            data that do not suit the model; or all trials have failed.
        KeyboardInterrupt: After SIGINT or SIGTERM; the same call goes on.
    """
    from cnnzoo.tuning.runner import SearchRunner
    from cnnzoo.tuning.spec import ask

    question = ask(
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
    path = Path(out) if out is not None else Path("runs") / f"{name}.{Path(question.settings['data']).name}.search"
    search = claim(path, question.settings)
    if search is None or not search.finished:
        search = SearchRunner(path, question, callbacks, verbose).search()
    search.check()
    if verbose:
        search.print()
    return search
