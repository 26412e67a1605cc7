"""The parts of the server by themselves, the client of `deploy/`, and the manifests there."""

import asyncio
import json
import re
import runpy
import shutil
import threading
from concurrent import futures
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format
from skimage.data import astronaut
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.config import model_server_config_pb2, monitoring_config_pb2

import cnnzoo
from cnnzoo.images import png_bytes
from cnnzoo.serving import metrics
from cnnzoo.serving.app import application
from cnnzoo.serving.batching import Full, Workers
from cnnzoo.serving.metadata import status
from cnnzoo.serving.predicting import Predictor
from cnnzoo.serving.protocol import Refusal
from cnnzoo.serving.servables import Catalogue

DEPLOY = Path(__file__).parents[1] / "deploy"
PNG = png_bytes(astronaut()[::16, ::12])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("exports")
    cnnzoo.export("lenet.mnist", root)
    return root


@pytest.fixture(scope="module")
def catalogue(folder):
    return Catalogue(folder)
