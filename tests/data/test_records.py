"""TFRecord and ArrayRecord files, loaded by `tfrecord:PATH` and `arrayrecord:PATH`; the tests write the files."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

import cnnzoo
from cnnzoo.data import DataNotFound, load, records
from cnnzoo.data.sources import rows_of

array_record = pytest.importorskip("array_record.python.array_record_module")

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(256, size=(28, 28, 3), dtype=np.uint8) for _ in range(30)]
KINDS = {"tfrecord:": ".tfrecord", "arrayrecord:": ".array_record"}
both = pytest.mark.parametrize("kind", KINDS)


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    values = value if isinstance(value, list) else [value]
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def example(**values):
    features = {key.replace("__", "/"): feature(value) for key, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def png(i):
    return tf.io.encode_png(PICTURES[i]).numpy()


def labeled(numbers):
    return [example(image=png(i), label=i % 3, note=b"x") for i in numbers]


def write(path, records):
    """Writes records to a TFRecord or ArrayRecord file, by the file name; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "tfrecord" in path.name:
        with tf.io.TFRecordWriter(str(path)) as file:
            for record in records:
                file.write(record)
    else:
        file = array_record.ArrayRecordWriter(str(path), "group_size:1")
        for record in records:
            file.write(record)
        file.close()
    return path


@both
def test_records_folder_and_pattern_load_with_a_fifth_for_test(tmp_path, kind):
    for k in range(3):
        write(tmp_path / f"set{KINDS[kind]}-{k:05d}-of-00003", labeled(range(10 * k, 10 * k + 10)))
    for name in (f"{kind}{tmp_path}", f"{kind}{tmp_path}/set*"):
        train, test = load(name, "train"), load(name, "test")
        assert (len(train.images), len(test.images)) == (24, 6)
        assert train.classes == test.classes == ("0", "1", "2")
        for found in (train, test):
            which = [next(i for i in range(30) if (PICTURES[i] == image).all()) for image in found.images]
            assert which == sorted(set(which))
            assert found.labels.tolist() == [i % 3 for i in which]
    (tmp_path / f"set{KINDS[kind]}-00001-of-00003").unlink()
    with pytest.raises(DataNotFound, match=r"set.*-00001-of-00003 is missing, of 3 files"):
        load(f"{kind}{tmp_path}")


@both
def test_records_splits_follow_file_names_and_keys_pick_features(tmp_path, kind):
    write(tmp_path / f"x-train{KINDS[kind]}", labeled(range(9)))
    write(tmp_path / f"x-test{KINDS[kind]}", labeled(range(10, 14)))
    np.testing.assert_array_equal(load(f"{kind}{tmp_path}", "train").images, np.stack(PICTURES[:9]))
    np.testing.assert_array_equal(load(f"{kind}{tmp_path}", "test").images, np.stack(PICTURES[10:14]))
    records = [example(image__encoded=png(i), mask=png(0), image__class__label=1, kind=i) for i in range(5)]
    path = write(tmp_path / f"b/own{KINDS[kind]}", records)
    assert load(f"{kind}{path}").labels.tolist() == [1] * 4
    assert sorted([*load(f"{kind}{path}#mask,kind").labels, *load(f"{kind}{path}#mask,kind", "test").labels]) == [
        *range(5)
    ]
    np.testing.assert_array_equal(load(f"{kind}{path}#mask").images, np.stack([PICTURES[0]] * 4))


def test_tfrecord_loads_files_written_by_tensorflow_datasets(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    signature = {"image": tf.TensorSpec((28, 28, 3), tf.uint8), "label": tf.TensorSpec((), tf.int64)}
    rows = [{"image": picture, "label": i % 3} for i, picture in enumerate(PICTURES)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="own",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(28, 28, 3)), "label": tfds.features.ClassLabel(num_classes=3)}
        ),
        split_datasets={"train": tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=signature)},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    found = load(f"tfrecord:{tmp_path}/own/1.0.0", "train", (28, 28, 3))
    kept = [next(i for i, picture in enumerate(PICTURES) if np.array_equal(picture, image)) for image in found.images]
    assert len(set(kept)) == len(kept) == 24
    assert found.labels.tolist() == [i % 3 for i in kept]
    assert len(load(f"tfrecord:{tmp_path}/own/1.0.0", "fit", (28, 28, 3)).images) == 22


@both
def test_rows_random_access_is_thread_safe(tmp_path, kind):
    for k in range(2):
        write(tmp_path / f"part-{k}{KINDS[kind]}", labeled(range(15 * k, 15 * k + 15)))
    rows, expected = rows_of(f"{kind}{tmp_path}", "train"), load(f"{kind}{tmp_path}", "train").images

    def wrong(seed):
        order = np.random.default_rng(seed).permutation(len(rows))
        return [i for i in order if not np.array_equal(rows.image(int(i)), expected[i])]

    with ThreadPoolExecutor(4) as threads:
        assert not any(threads.map(wrong, range(8)))


@both
@pytest.mark.parametrize(
    ("records", "keys", "message"),
    [
        ([example(pixels=b"x")], "", r"a feature image/encoded or image; name one .* Received: pixels \(1 bytes\)"),
        ([example(image=b"x")], "#photo", r"must have the feature photo. Received: image \(1 bytes\) in .*record 0"),
        ([example(image=b"x", label=0.5)], "", r"label must be an integer; .* Received: label \(1 float\) in .*record"),
        ([example(image=b"x", label=b"cat")], "", r"label must be an integer; .* Received: label \(1 bytes\)"),
        ([example(image=b"x", label=[0, 1])], "", r"label must be an integer; .* Received: label \(2 int64\)"),
        ([example(image=3)], "", r"image must be an encoded image as bytes; .* Received: image \(1 int64\)"),
        ([example(image=b"x", label=1), example(image=b"x")], "", r"the feature label. Received: image .*record 1"),
        ([example(image=b"pixels")], "", r"record 0 cannot be read as an image: no known format"),
        ([b"\xff" * 9], "", r"record 0 must be a tf.train.Example. Received: other bytes"),
        ([], "", r"must have images. Received: none"),
    ],
)  # fmt: skip
def test_load_rejects_invalid_or_missing_records(tmp_path, kind, records, keys, message):
    path = write(tmp_path / f"a{KINDS[kind]}", records)
    with pytest.raises(ValueError, match=message):
        load(f"{kind}{path}{keys}")


@both
def test_records_reject_image_above_size_limit(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("cnnzoo.data.shards.LARGEST_PICTURE", 1 << 10)
    write(tmp_path / f"a{KINDS[kind]}", labeled([0]))
    with pytest.raises(ValueError, match=r"An image must have at most 1024 bytes. Received: \d+ in .*record 0"):
        load(f"{kind}{tmp_path}")


def test_tfrecord_rejects_damaged_file(tmp_path):
    path = write(tmp_path / "a.tfrecord", labeled(range(10)))
    raw = path.read_bytes()
    length = 16 + int.from_bytes(raw[:8], "little")  # bytes of the first record, with its header and checksums

    def altered(at):
        changed = bytearray(raw)
        changed[at] ^= 1
        return bytes(changed)

    wrong = r"a.tfrecord must be an uncompressed TFRecord file, whole. Received: "
    for content, message in (
        (raw[:-1], "the end of the file in record 9"),
        (raw[:length] + raw[length : length + 5], "a length with a wrong CRC in record 1"),
        (altered(0), "a length with a wrong CRC in record 0"),
        (altered(length + 7), "a length with a wrong CRC in record 1"),
        (altered(length + 9), "a length with a wrong CRC in record 1"),
        (b"\x1f\x8b" + bytes(50), "a length with a wrong CRC in record 0"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=wrong + message):
            load(f"tfrecord:{path}")


def test_tfrecord_rejects_other_file_by_its_first_bytes(tmp_path, monkeypatch):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(bytes(100_000))
    walked = []
    monkeypatch.setattr(
        records, "masked_crc32c", lambda rows, of=records.masked_crc32c: walked.append(rows) or of(rows)
    )
    with pytest.raises(ValueError, match="a length with a wrong CRC in record 0"):
        load(f"tfrecord:{path}")
    assert sum(map(len, walked)) == 1


def test_tfrecord_with_more_records_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "BLOCK", 4)
    path = write(tmp_path / "a.tfrecord", labeled(range(10)))
    found = [load(f"tfrecord:{path}", split).images for split in ("train", "test")]
    assert {image.tobytes() for image in np.concatenate(found)} == {image.tobytes() for image in PICTURES[:10]}
    raw = bytearray(path.read_bytes())
    raw[-1 - 16 - len(labeled([9])[0])] ^= 1  # the checksum of the ninth record's contents is not looked at
    raw[-16 - len(labeled([9])[0])] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="a length with a wrong CRC in record 9"):
        load(f"tfrecord:{path}")


def test_arrayrecord_rejects_damaged_file(tmp_path):
    path = write(tmp_path / "a.array_record", labeled(range(30)))
    raw = bytearray(path.read_bytes())
    for content in (b"", b"x" * 100_000, raw[: len(raw) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a.array_record must be an ArrayRecord file, whole. Received: \w+"):
            load(f"arrayrecord:{path}")
    raw[5000] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"a.array_record must be an ArrayRecord file, whole. Received: Corrupted"):
        load(f"arrayrecord:{path}")


def test_train_accepts_tfrecord_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own.tfrecord", labeled(range(30)))
    config = {"image_shape": (28, 28, 3), "width": 4, "hidden": 16, "latent_dim": 4}
    run = cnnzoo.train("autoencoder", data="tfrecord:own.tfrecord", config=config, epochs=1, batch_size=8, verbose=0)
    assert run.name == "autoencoder.own"
    assert (run / "model.weights.h5").is_file()
