"""What setup.cfg cannot say: the checkpoints of saved_models/ are installed as cnnzoo/saved_models."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["cnnzoo", "cnnzoo.*"]), "cnnzoo.saved_models"],
    package_dir={"cnnzoo": "cnnzoo", "cnnzoo.saved_models": "saved_models"},
)
