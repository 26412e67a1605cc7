"""What setup.cfg cannot say: saved_models/ and deploy/ are installed as cnnzoo/saved_models and cnnzoo/deploy."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["cnnzoo", "cnnzoo.*"]), "cnnzoo.saved_models", "cnnzoo.deploy"],
    package_dir={"cnnzoo": "cnnzoo", "cnnzoo.saved_models": "saved_models", "cnnzoo.deploy": "deploy"},
)
