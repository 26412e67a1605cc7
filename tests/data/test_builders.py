"""Data sets of tensorflow-datasets, loaded by `tfds:NAME`; the tests write the sets."""

import numpy as np
import pytest

import cnnzoo
from cnnzoo.data import load
from cnnzoo.data.sources import rows_of

tfds = pytest.importorskip("tensorflow_datasets")

RNG = np.random.default_rng(0)
SIZES = [(28, 28, 3), (40, 28, 3), (28, 50, 3)]
PICTURES = [RNG.integers(256, size=SIZES[i % 3], dtype=np.uint8) for i in range(30)]
EQUAL = [picture[:28, :28] for picture in PICTURES]
IMAGE, LABEL = tfds.features.Image(shape=(None, None, 3)), tfds.features.ClassLabel(names=["ant", "bee", "cow"])


def rows(images, *keys):
    values = {
        "picture": images,
        "mask": [255 - image for image in images],
        "kind": [i % 3 for i in range(len(images))],
        "note": ["x"] * 30,
    }
    return [{key: values[key][i] for key in keys} for i in range(len(images))]


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory):
    """The folder of sets in the format of tensorflow-datasets, in TFDS_DATA_DIR."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("tfds")

    def write(name, features, **splits):
        kinds = {"picture": IMAGE, "mask": IMAGE, "kind": LABEL, "note": tfds.features.Text()}

        def maker(found):
            signature = {key: kinds[key].get_tensor_spec() for key in features}
            return tf.data.Dataset.from_generator(lambda: iter(found), output_signature=signature)

        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            features=tfds.features.FeaturesDict({key: kinds[key] for key in features}),
            split_datasets={split: maker(found) for split, found in splits.items()},
            data_dir=folder,
            disable_shuffling=True,
        )

    labeled = ("picture", "kind")
    write("split_animals", labeled, train=rows(EQUAL, *labeled), test=rows(EQUAL[:6], *labeled))
    write("tuned_animals", labeled, train=rows(EQUAL, *labeled), validation=rows(EQUAL[:4], *labeled))
    write("whole_animals", ("picture",), train=rows(PICTURES, "picture"))
    write("masked_animals", ("picture", "mask"), train=rows(EQUAL, "picture", "mask"))
    write("notes", ("note",), train=rows(EQUAL, "note"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder))
        yield folder


def test_tfds_finds_features_by_type():
    found = load("tfds:split_animals", "train")
    np.testing.assert_array_equal(found.images, np.stack(EQUAL))
    assert found.labels.tolist() == [i % 3 for i in range(30)]
    assert tuple(found.classes) == ("ant", "bee", "cow")
    assert len(load("tfds:split_animals", "test").images) == 6


def test_tfds_test_split_is_validation_or_a_fifth_of_train():
    assert len(load("tfds:tuned_animals", "test").images) == 4
    train, test = (load("tfds:whole_animals", split, (28, 28, 3)) for split in ("train", "test"))
    assert (len(train.images), len(test.images)) == (24, 6)
    assert train.labels is None
    together = np.concatenate([train.images, test.images]).reshape(30, -1)
    assert len(np.unique(together, axis=0)) == 30  # no image is in both


def test_tfds_fits_mixed_sizes_and_rejects_missing_shape():
    found = load("tfds:whole_animals", "fit", (28, 28, 1))
    assert found.images.shape[1:] == (28, 28, 1)
    with pytest.raises(ValueError, match=r"tfds:whole_animals must have one shape, .* Received: 3 shapes"):
        load("tfds:whole_animals", "train")


def test_tfds_keys_select_features_and_reject_invalid_keys():
    pictures, masks = (load(f"tfds:masked_animals#{key}", "train").images for key in ("picture", "mask"))
    np.testing.assert_array_equal(masks, 255 - pictures)
    with pytest.raises(ValueError, match=r"one feature of type Image; name one by #IMAGE.* Received: mask, picture"):
        load("tfds:masked_animals", "train")
    with pytest.raises(ValueError, match=r"must name a feature of type Image \(picture\). Received: photo"):
        load("tfds:split_animals#photo", "train")
    with pytest.raises(ValueError, match=r"must name a feature of type ClassLabel \(none\). Received: kind"):
        load("tfds:masked_animals#picture,kind", "train")


def test_tfds_rejects_unknown_names_and_sets_without_images():
    with pytest.raises(ValueError, match=r"tfds:notes must have an Image feature. Received: note \(Text\)"):
        load("tfds:notes", "train")
    with pytest.raises(ValueError, match=r"Unknown data set tfds:svhn_croped. Did you mean tfds:svhn_cropped"):
        load("tfds:svhn_croped", "train")


def test_train_accepts_tfds_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"image_shape": (28, 28, 3), "width": 4, "hidden": 16, "latent_dim": 4}
    run = cnnzoo.train("autoencoder", data="tfds:whole_animals", config=config, epochs=1, batch_size=8, verbose=0)
    assert run.name == "autoencoder.whole_animals"
    assert (run / "model.weights.h5").is_file()


def test_rows_equal_tfds_examples_in_tfrecord_and_arrayrecord(written, tmp_path, monkeypatch):
    rows = rows_of("tfds:whole_animals", "train")
    assert len(rows) == 24
    assert rows.labels is None
    pictures = [rows.image(i) for i in range(24)]
    assert {picture.shape for picture in pictures} == set(SIZES)
    assert all(any(np.array_equal(picture, each) for each in PICTURES) for picture in pictures)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    rewritten = tfds.builder("split_animals", data_dir=written, version="1.0.0").as_dataset(split="train")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="split_animals",
        version="1.0.0",
        features=tfds.features.FeaturesDict({"picture": IMAGE, "kind": LABEL}),
        split_datasets={"train": rewritten},
        data_dir=tmp_path,
        file_format="array_record",
        disable_shuffling=True,
    )
    rows = rows_of("tfds:split_animals", "train")
    assert rows.classes == ("ant", "bee", "cow")
    for i in range(24):
        which = next(k for k, each in enumerate(EQUAL) if np.array_equal(rows.image(i), each))
        assert rows.labels[i] == which % 3


def test_rows_image_has_the_channels_of_the_tfds_feature(monkeypatch, tmp_path):
    import tensorflow as tf

    features = tfds.features.FeaturesDict({"image": IMAGE, "label": np.int64})
    signature = {"image": IMAGE.get_tensor_spec(), "label": tf.TensorSpec((), tf.int64)}
    one = tf.data.Dataset.from_generator(lambda: iter([{"image": EQUAL[0], "label": 5}]), output_signature=signature)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="gray", version="1.0.0", features=features, split_datasets={"train": one}, data_dir=tmp_path
    )
    gray = tf.train.BytesList(value=[tf.io.encode_png(EQUAL[0][..., :1]).numpy()])
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.CopyFrom(gray)
    example.features.feature["label"].int64_list.value.append(5)
    with tf.io.TFRecordWriter(str(next(tmp_path.rglob("*.tfrecord*")))) as file:
        file.write(example.SerializeToString())
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    rows = rows_of("tfds:gray", "train")
    np.testing.assert_array_equal(rows.image(0), np.repeat(EQUAL[0][..., :1], 3, axis=2))
    assert rows.labels is None  # an integer feature is not a ClassLabel
