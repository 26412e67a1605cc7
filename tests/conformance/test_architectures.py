"""Conformance tests of every architecture in the registry, including new ones."""

import json

import keras
import numpy as np
import pytest
from memory import give_back

import cnnzoo
from cnnzoo.registry import architecture
from conformance import noise, samples

# Module scope groups the tests by architecture; shared models are dropped after each architecture.
every_architecture = pytest.mark.parametrize("name", cnnzoo.list_models(), scope="module")


@pytest.fixture(scope="module", autouse=True)
def _memory_of_one(name):
    yield
    give_back()


@pytest.fixture(scope="module")
def built(name):
    """The model as built; tests must not change its weights."""
    return samples.fresh(name)


@pytest.fixture(scope="module")
def stepped(name):
    """The model after two SGD steps, and its trainable weights before them.

    Tests with few steps run eagerly: tracing a step takes longer than running it.
    """
    model = samples.fresh(name)
    # Clipping is for losses in nats per whole image, where two unclipped steps would lead to NaN.
    model.compile(samples.optimizers(model, lambda: keras.optimizers.SGD(1e-2, global_clipnorm=1e3)), run_eagerly=True)
    before = [v.numpy() for v in model.trainable_variables]
    samples.steps(model, 2)
    return model, before


@pytest.fixture
def policy():
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


def arrays(model) -> list[np.ndarray]:
    """Returns the weights, the random states and all variables of the optimizers."""
    variables = [*model.variables, *(model.optimizer.variables if model.optimizer else [])]
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assert_equal_bits(first, second):
    first, second = arrays(first), arrays(second)
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@every_architecture
def test_config_round_trip(name, built):
    config = json.loads(json.dumps(built.get_config()))
    again = architecture(name).from_config(config)
    assert again.get_config() == built.get_config()
    assert [v.shape for v in again.variables] == [v.shape for v in built.variables]


@every_architecture
def test_call_output_has_shape_and_range_of_task(built):
    outputs = keras.ops.convert_to_numpy(built(samples.inputs(built)))
    assert outputs.shape == (samples.BATCH, *samples.outputs_shape(built))
    assert outputs.dtype == np.float32
    assert outputs.min() >= 0.0 and outputs.max() <= 1.0
    if built.task == "classify":
        np.testing.assert_allclose(outputs.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(outputs, keras.ops.convert_to_numpy(built(samples.inputs(built))))  # deterministic


@every_architecture
def test_outputs_match_for_uint8_and_float_or_for_equal_seeds(built):
    if built.task == "generate":
        as_bytes, as_floats = built.generate(4, seed=1), built.generate(4, seed=1)
        assert not np.array_equal(as_bytes, built.generate(4, seed=2))
    else:
        x = samples.inputs(built)
        as_bytes, as_floats = built(x), built(x.astype(np.float32) / 255)
    np.testing.assert_allclose(as_bytes, as_floats, atol=1e-5)


@every_architecture
def test_training_changes_every_trainable_weight(stepped):
    model, before = stepped
    phases = {id(v) for phase in model.phases() for v in phase.variables}
    assert phases == {id(v) for v in model.trainable_variables}, "a trainable weight belongs to no phase"
    for variable, old in zip(model.trainable_variables, before, strict=True):
        new = variable.numpy()
        assert np.isfinite(new).all(), variable.path
        assert not np.array_equal(new, old), f"{variable.path} stood still"


@every_architecture
def test_evaluate_is_deterministic_and_changes_no_state(stepped):
    model, _ = stepped
    before = arrays(model)
    first, second = (model.evaluate(*samples.batch(model), verbose=0, return_dict=True) for _ in range(2))
    assert first == second
    for variable, old, new in zip([*model.variables, *model.optimizer.variables], before, arrays(model), strict=True):
        np.testing.assert_array_equal(new, old, err_msg=variable.path)


@samples.few("autoencoder", "cnn", "denoiser", "espcn", "gan", "vae")
def test_each_phase_lowers_its_own_loss(name):
    model = samples.fresh(name)
    model.compile(samples.optimizers(model, lambda: keras.optimizers.Adam(3e-3)))
    variables = [*model.variables, *model.optimizer.variables]
    start = arrays(model)

    def losses(only: str | None) -> dict[str, list[float]]:
        """Returns losses from equal weights and noise; phases other than `only` have learning rate 0."""
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        for phase, optimizer in model.optimizer.by_phase.items():
            optimizer.learning_rate = 3e-3 if phase == only else 0.0
        return samples.steps(model, 12)

    still = losses(None)
    for phase in model.optimizer.by_phase:
        log = f"{phase}_loss" if len(model.optimizer.by_phase) > 1 else "loss"
        first, last, without = *(losses(phase)[log][at] for at in (0, -1)), still[log][-1]
        assert first == still[log][0]
        assert without - last > 0.002 * abs(without) + 1e-5, (phase, without, last)


@every_architecture
def test_saved_model_and_weights_continue_training_bit_for_bit(name, tmp_path):
    model = samples.fresh(name)
    model.compile(run_eagerly=True)
    samples.steps(model, 1)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    whole = keras.saving.load_model(tmp_path / "model.keras")
    assert whole.get_compile_config()["jit_compile"] == "auto"
    weights = samples.fresh(name, seed=1)
    weights.compile(run_eagerly=True)
    weights.load_weights(tmp_path / "model.weights.h5")
    assert_equal_bits(whole, model)
    logs = samples.steps(model, 1)
    for other in (whole, weights):
        assert samples.steps(other, 1) == logs
        assert_equal_bits(other, model)


@every_architecture
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_returns_float32(name, precision, policy):
    policy(precision)
    model = samples.fresh(name)
    model.compile(run_eagerly=True)
    history = samples.steps(model, 1)
    assert np.isfinite(history["loss"]).all()
    assert keras.backend.standardize_dtype(model(samples.inputs(model)).dtype) == "float32"
    scaled = isinstance(next(iter(model.optimizer.by_phase.values())), keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")


@samples.few("cnn")
def test_xla_step_matches_eager_step(name, monkeypatch):
    # Eager mode and XLA draw different numbers from one seed, so the noise is replaced.
    noise.replace(monkeypatch.setattr)
    plain, compiled = samples.fresh(name), samples.fresh(name)
    before = [v.numpy() for v in plain.trainable_variables]
    plain.compile(samples.optimizers(plain, lambda: keras.optimizers.SGD(1e-2)), run_eagerly=True)
    compiled.compile(samples.optimizers(compiled, lambda: keras.optimizers.SGD(1e-2)), jit_compile=True)
    samples.steps(plain, 1)
    samples.steps(compiled, 1)
    for start, a, b in zip(before, plain.trainable_variables, compiled.trainable_variables, strict=True):
        # Rounding moves single activations across zero, where the slope of a ReLU changes.
        moved = np.linalg.norm(a.numpy() - start)
        assert np.linalg.norm(a.numpy() - b.numpy()) < 0.1 * moved + 2e-5, a.path


@every_architecture
def test_invalid_images_config_and_optimizers_are_rejected(name, built):
    model = built
    height, width, channels = samples.shape(model)
    bad = {
        "channels": np.zeros((2, height, width, channels + 1), np.uint8),
        "dtype": np.zeros((2, height, width, channels), np.int64),
        "range": np.full((2, height, width, channels), 2.0, np.float32),
        "empty": np.zeros((0, height, width, channels), np.uint8),
    }
    if None not in model.image_shape and model.ships:  # others accept any size, or train the picture itself
        bad["shape"] = np.zeros((2, height + 4, width, channels), np.uint8)
    if model.task == "generate":
        with pytest.raises(ValueError, match=r"must .*Received: "):
            model.generate(0)
    else:
        verb = "restore" if model.task == "inpaint" else model.task
        for what, images in bad.items():
            given = (images, *samples.beside(model, images))
            with pytest.raises(ValueError, match=r"must .*Received: "):
                pytest.fail(f"took {what}: {getattr(model, verb)(*given)}")
    model.compile(run_eagerly=True)
    with pytest.raises(ValueError, match="Images must have shape"):
        model.fit(bad["channels"], np.zeros(2, np.int64), verbose=0)
    with pytest.raises(ValueError, match=r"Images must be .*Received: int64"):
        model.fit(bad["dtype"], np.zeros(2, np.int64), verbose=0)
    with pytest.raises(ValueError, match=r"Unknown configuration field 'color' of \w+. Available: .*image_shape"):
        cnnzoo.build(name, color="red")
    with pytest.raises(ValueError, match=r"`optimizer` must name the phases .*Received: nonsense"):
        model.compile({"nonsense": "adam"})
