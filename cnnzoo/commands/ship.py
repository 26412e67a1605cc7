"""Writing models for other programs, checking what was written, and serving it."""

import argparse

from cnnzoo.terminal import print_json, print_table, progress


def export(asked: argparse.Namespace) -> None:
    from cnnzoo.export import export

    options = {"name": asked.called, "litert": asked.litert, "onnx": asked.onnx, "data": asked.data}
    with progress(f"exporting {asked.name}"):
        version = export(asked.name, asked.folder, **options)
    print(version)


def verify(asked: argparse.Namespace) -> None:
    from cnnzoo.export.loader import verify

    with progress("verifying"):
        found = verify(*asked.folder)
    if asked.json:
        return print_json(found)
    for folder, differences in found.items():
        print_table(folder, ("what", "off by at most"), [(k, f"{v:.2g}") for k, v in differences.items()])


def serve(asked: argparse.Namespace) -> None:
    from cnnzoo.serving import serve

    limits = {"megabytes": asked.megabytes, "megapixels": asked.megapixels}
    serve(asked.folder, host=asked.host, port=asked.port, **limits)
