"""Tests of the headlines and the table of checkpoint cards, and of the shipped cards."""

import importlib.util
from pathlib import Path

import pytest

import cnnzoo
from cnnzoo.checkpoints import table
from cnnzoo.metrics.scores import Score

LIKENESS = [
    Score("frechet", 12.345, "", "lower", 10),
    Score("frechet_floor", 0.8123, "", "", 10, protocol={"standard deviation over sets": 0.0678}),
    Score("density", 0.789, "", "", 10),
    Score("coverage", 0.8, "", "higher", 10),
]
SAMPLES = "Fréchet 12.35 (15 times the train-test distance of 0.81, sd 0.07), density 0.79 (1 is ideal), coverage 0.80"


def card(*scores):
    return {"scores": [score.to_json() for score in scores]}


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([Score("accuracy", 99.471, "%", "higher", 10_000)], "accuracy 99.47 %"),
        (
            [
                Score("mse", 0.01, "", "lower", 10),
                Score("mse_over_pca", 0.4, "", "lower", 10),
                Score("negative_elbo", 90.0, "nats", "lower", 10),
                Score("iw_nll", 86.789, "nats", "lower", 1000, (85.43, 88.15), {"samples": 5000}),
            ],
            "NLL ≤ 86.8 nats (95 %: 85.4 to 88.2; 1,000 images, K = 5000)",
        ),
        (
            [Score("iw_nll", 86.789, "nats", "lower", 9, protocol={"samples": 50, "given": "the label"})],
            "NLL given the label ≤ 86.8 nats (9 images, K = 50)",
        ),
        (
            [
                Score("iw_nll", 6789.0, "nats", "lower", 255, protocol={"samples": 5000}),
                Score("bits_per_dim", 3.456, "bits", "lower", 255, (3.401, 3.511), {"samples": 5000}),
            ],
            "≤ 3.46 bits per dimension (95 %: 3.40 to 3.51; 255 images, K = 5000)",
        ),
        (
            [Score("mse", 0.01234, "", "lower", 10), Score("mse_over_pca", 0.456, "", "lower", 10)],
            "MSE 0.01234, 0.46 of PCA's",
        ),
        (LIKENESS, SAMPLES),
        (
            [
                *LIKENESS,
                Score("label_agreement", 98.765, "%", "higher", 30, protocol={"accuracy on real images": 71.434}),
            ],
            f"{SAMPLES}, label accuracy 98.77 % by a judge that is right on 71.43 % of real images",
        ),
        ([*LIKENESS, Score("label_agreement", 98.765, "%", "higher", 30)], f"{SAMPLES}, label accuracy 98.77 %"),
        (
            [Score("mse", 0.01234, "", "lower", 10), Score("mse_over_pca", 0.456, "", "lower", 10), *LIKENESS],
            f"MSE 0.01234, 0.46 of PCA's, samples: {SAMPLES}",
        ),
        ([Score("psnr", 31.5, "dB", "higher", 5), Score("ssim", 0.9, "", "higher", 5)], "psnr 31.5 dB, ssim 0.9"),
        ([], "not scored"),
    ],
    ids=[
        "classifier",
        "vae",
        "conditional vae",
        "coder",
        "autoencoder",
        "generator",
        "obedient",
        "obedient, of images without labels",
        "generating autoencoder",
        "another",
        "none",
    ],
)
def test_headline_shows_main_scores(scores, words):
    assert table.headline(card(*scores)) == words


@pytest.mark.parametrize(
    ("count", "unit", "text"),
    [
        (0, "", "0"),
        (999, "", "999"),
        (999, "B", "999 B"),
        (1000, "B", "1 kB"),
        (61_706, "", "61.7 k"),
        (999_400, "B", "999 kB"),
        (999_600, "B", "1 MB"),
        (2_345_678, "", "2.35 M"),
    ],
)
def test_size_rounds_to_three_significant_digits(count, unit, text):
    assert table.size(count, unit) == text


def test_table_has_one_row_per_checkpoint():
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.table().splitlines()]
    assert [row[0].strip("`") for row in rows[2:]] == cnnzoo.list_checkpoints()
    assert {len(row) for row in rows} == {6}
    lenet = next(row for row in rows if row[0] == "`lenet.mnist`")
    assert lenet[1:5] == [
        "classify",
        "mnist",
        f"accuracy {cnnzoo.card('lenet.mnist')['scores'][0]['value']:.2f} %",
        "61.7 k",
    ]


def test_with_table_replaces_text_between_markers():
    text = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    filled = table.with_table(text)
    assert filled == f"before\n{table.BEGIN}\n\n{table.table()}\n\n{table.END}\nafter\n"
    assert table.with_table(filled) == filled


@pytest.mark.parametrize("text", ["", table.BEGIN, table.END, f"{table.END}\n{table.BEGIN}"])
def test_with_table_rejects_missing_or_swapped_markers(text):
    with pytest.raises(ValueError, match=r"The text must have the lines .*\. Received: a text without them"):
        table.with_table(text)


def test_headline_rounds_frechet_ratio_to_two_digits():
    single = Score("frechet_floor", 0.41987, "", "", 10, protocol={"standard deviation over sets": None})
    scores = [Score("frechet", 57.23, "", "lower", 10), single, *LIKENESS[2:]]
    assert table.headline(card(*scores)).startswith("Fréchet 57.23 (140 times the train-test distance of 0.42), ")


def test_shipped_cards_record_training_precision():
    for name in cnnzoo.list_checkpoints():
        assert cnnzoo.card(name)["recipe"]["precision"] in ("float32", "bfloat16"), name


def test_card_cites_paper_if_and_only_if_module_cites_source():
    for name in cnnzoo.list_checkpoints():
        card = cnnzoo.card(name)
        text = Path(importlib.util.find_spec(f"cnnzoo.models.{card['architecture']}").origin).read_text()
        assert card["paper"].startswith("none; ") != ("\n\nSource" in text.split('"""')[1]), name
