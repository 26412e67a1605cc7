"""Builds the wheel, installs it alone in an empty environment, and runs every bundled checkpoint.

Dependencies come from the environment of this script, so that no network is needed.
"""

import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAM = """
import sys
from pathlib import Path
import cnnzoo
from cnnzoo import checkpoints, runtime

assert Path(cnnzoo.__file__).is_relative_to(sys.prefix), cnnzoo.__file__
names = cnnzoo.list_checkpoints()
expected = sys.argv[1:]
assert names == expected, f"the wheel has {names}, the checkout {expected}"
for name in names:
    checkpoint = checkpoints.open_checkpoint(checkpoints.saved_models_dir() / name)
    difference = checkpoints.check_golden(checkpoint, cnnzoo.build(name))
    print(f"{name:24} differs from its golden by {difference:.1e}")
    assert difference < 1e-4, name
    if (graphs := runtime.open_model(checkpoint.path)) is not None:
        difference = checkpoints.check_golden(checkpoint, graphs)
        print(f"{name:24} by ONNX Runtime: {difference:.1e}")
        assert difference < 1e-4, name
"""


def main() -> None:
    """Runs the check.

    Raises:
        subprocess.CalledProcessError: The build, the installation or a checkpoint failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder)
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = empty.glob("*.whl")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        venv.create(empty / "venv", with_pip=False)
        python = empty / "venv" / "bin" / "python"
        site = next((empty / "venv").glob("lib/python*/site-packages"))
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
        subprocess.run([*pip, str(wheel)], check=True)
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        names = sorted(card.parent.name for card in (ROOT / "saved_models").glob("*/card.json"))
        subprocess.run([python, "-m", "cnnzoo", "list"], check=True, cwd=folder)
        subprocess.run([python, "-c", PROGRAM, *names], check=True, cwd=folder)


if __name__ == "__main__":
    main()
