"""Fuzzes the parsing of requests and pictures in the server, guided by code coverage.

    pip install atheris
    python benchmarks/fuzz_bytes.py -runs=100000 -max_len=4096

Each input is used as the body of a request, and as the picture in a request. The result must be a response or a refusal
with status 400; any other result, or a crash, ends the run. All other options are those of libFuzzer.
"""

import base64
import json
import sys

import atheris

with atheris.instrument_imports(include=["cnnzoo"]):
    from cnnzoo.serving.model_repository import ModelRepository
    from cnnzoo.serving.predictor import Predictor
    from cnnzoo.serving.protocol import Refusal

from fuzz_serving import SIGNATURES, exported, picture


def main() -> None:
    with exported("espcn.x3", "lenet.mnist", "cgan.mnist") as folder:
        catalog, predict = ModelRepository(folder), Predictor(1e5)

        def check(data: bytes) -> None:
            image = {"b64": base64.b64encode(data).decode()}
            for model, signature in SIGNATURES.items():
                bodies = [data, json.dumps({"signature_name": signature, "inputs": {"image_bytes": [image]}}).encode()]
                for made in predict(catalog.find(model), bodies):
                    if isinstance(made, Exception) and not (isinstance(made, Refusal) and made.http == 400):
                        raise made

        seeds = folder / "seeds"
        seeds.mkdir()
        for kind in ("PNG", "JPEG", "GIF"):
            (seeds / kind).write_bytes(picture(kind, side=8))
        (seeds / "rows").write_bytes(b'{"instances": [[[[0.5], [NaN]]]]}')
        (seeds / "columns").write_bytes(b'{"signature_name": "generate", "inputs": {"seed": 1, "labels": [1]}}')
        (seeds / "file").write_bytes(b'{"signature_name": "classify_bytes", "instances": [{"b64": "aGk="}]}')
        atheris.Setup([*sys.argv, str(seeds)], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
