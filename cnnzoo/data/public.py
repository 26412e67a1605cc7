"""Public image sets that tensorflow-datasets does not bring: where they are, and how each may be used.

Those on GitHub are addresses of one commit, so that what they give never changes. The hashes are of the files that
recipes and scores were made with, or of the originals whose pixels those have.
"""

from dataclasses import dataclass

from cnnzoo.imaging.folders import PICTURE_SUFFIXES
from cnnzoo.utils.atomic_files import data_dir

# How each data set may be used, as its makers or keepers say.
LICENCES = {
    "mnist": "CC BY-SA 3.0",
    "fashion_mnist": "MIT",
    "cifar10": "none stated",
    "cmaterdb": "Apache-2.0, for non-commercial use",
    "digits": "CC BY 4.0",
    "signs": "Apache-2.0",
    "paintings": "public domain",
    "t91": "none stated",
    "bsds500": "for non-commercial research and education",
    "train400": "for non-commercial research and education",
    "set5": "none stated",
    "set14": "none stated",
    "bsd100": "for non-commercial research and education",
    "bsd68": "for non-commercial research and education",
    "set12": "none stated",
}


@dataclass(frozen=True)
class Archive:
    """A .zip or .tgz file, which may hold several sets.

    Attributes:
        url: Of the file.
        name: Under which it is kept.
        top: The folder that all of it lies in.
        bytes: About how large it is; GitHub packs it anew for each download.
    """

    url: str
    name: str
    top: str
    bytes: int


@dataclass(frozen=True)
class Packed:
    """Files of an archive.

    Attributes:
        folder: In the archive.
        ending: What the names of the wanted files end with. What stands in it before the suffix is cut off.
        files: How many there are.
        bytes: Of all of them.
        sha256: Of their list, as `listing` writes it.
        left_out: Names of files that are not wanted.
    """

    archive: Archive
    folder: str
    ending: str
    files: int
    bytes: int
    sha256: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Single:
    """A file by itself."""

    name: str
    url: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class PublicSet:
    """A set that can be fetched.

    Attributes:
        folder: Where it is looked for, in `CNNZOO_DATA_DIR`.
        label: The folder in it that the files are put into, if there is one.
        content: What is there: files of an archive, or single ones.
        about: The page of the set or of its paper.
    """

    name: str
    folder: str
    label: str
    content: Packed | tuple[Single, ...]
    about: str

    @property
    def files(self) -> int:
        return self.content.files if isinstance(self.content, Packed) else len(self.content)

    @property
    def bytes(self) -> int:
        """Of its files."""
        return self.content.bytes if isinstance(self.content, Packed) else sum(each.bytes for each in self.content)

    @property
    def download(self) -> int:
        """About how many bytes are fetched."""
        return self.content.archive.bytes if isinstance(self.content, Packed) else self.bytes

    @property
    def licence(self) -> str:
        return LICENCES.get(self.name, "not known")

    def here(self) -> int:
        """How many pictures lie in its folder on this machine; of single ones, how many of these."""
        folder = data_dir() / self.folder
        if not isinstance(self.content, Packed):
            return sum((folder / self.label / each.name).is_file() for each in self.content)
        found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
        return sum(not any(part.startswith(".") for part in path.parts) for path in found)


def listing(sha256s: dict[str, str]) -> str:
    """{name: SHA-256} as the program sha256sum lists files, in the order of the names."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sha256s.items()))


def home(name: str) -> str:
    """The page of a data set or of its paper, such as that of "mnist/static"."""
    base = name.partition("/")[0]
    return SETS[base].about if base in SETS else _HOMES[base]


_HOMES = {
    "mnist": "https://www.tensorflow.org/datasets/catalog/mnist",
    "fashion_mnist": "https://github.com/zalandoresearch/fashion-mnist",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar.html",
    "cmaterdb": "https://code.google.com/archive/p/cmaterdb/",
    "digits": "https://scikit-learn.org/stable/datasets/toy_dataset.html",
    "photos": "https://scikit-image.org/docs/stable/api/skimage.data.html",
}


def _github(repository: str, commit: str, bytes: int) -> Archive:
    top = f"{repository.rpartition('/')[2]}-{commit}"
    return Archive(f"https://github.com/{repository}/archive/{commit}.zip", f"{top}.zip", top, bytes)


_SRCNN = _github("tegg89/SRCNN-Tensorflow", "78be1a24697935fc39a3a8cf59a6632264afade7", 20_900_000)
_DNCNN = _github("SaoYan/DnCNN-PyTorch", "6b0804951484eadb7f1ea24e8e5c9ede9bea485b", 24_700_000)
# The training and test part of BSDS300 are the training and validation part of BSDS500, byte for byte.
_BSDS = Archive(
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/segbench/BSDS300-images.tgz",
    "BSDS300-images.tgz",
    "BSDS300",
    22_300_000,
)
_SIGNS = _github("ardamavi/Sign-Language-Digits-Dataset", "4b09433ef9d5c60602e8805bb54b8aa2428527f8", 17_100_000)

_RAW = "https://raw.githubusercontent.com"
_STYLES = f"{_RAW}/jcjohnson/fast-neural-style/813c83441953ead2adb3f65f4cc2d5599d735fa7/images/styles"
_UDNIE = f"{_RAW}/lengstrom/fast-style-transfer/0d3d981f7ab948253d355585bdbdfa914247b4d0/examples/style/udnie.jpg"
_SHIPWRECK = f"{_RAW}/jcjohnson/neural-style/07c4b8299f8fbdafec0c514fc820ff1d7ff62e46/examples/inputs/shipwreck.jpg"

_ALL = (
    PublicSet(
        "t91",
        "t91/train",
        "hr",
        Packed(
            _SRCNN, "Train", ".bmp", 91, 16_102_570, "a0650b24564bf5928a18eae0f33bdd0132bd4d69b918e09ae3e3954943a5e917"
        ),
        "https://doi.org/10.1109/TIP.2010.2050625",
    ),
    PublicSet(
        "bsds500",
        "bsds500/train",
        "photo",
        Packed(
            _BSDS,
            "images/train",
            ".jpg",
            200,
            14_551_204,
            "9de25bdaf5db109f390ba0166233ad92ef1e27696c0f60e43d2ce424e0e7061b",
        ),
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
    ),
    PublicSet(
        "train400",
        "train400/train",
        "gray",
        Packed(
            _DNCNN,
            "data/train",
            ".png",
            400,
            8_242_575,
            "d9a4d048a6c132976302736b8659e9b8ee5489c8f5d5a90815324cd50e72ce0e",
        ),
        "https://github.com/cszn/DnCNN",
    ),
    PublicSet(
        "set5",
        "set5/test",
        "hr",
        Packed(
            _SRCNN,
            "Test/Set5",
            "_GT.bmp",
            5,
            1_702_706,
            "6b9d66d0c492adfd7a2a85944224c311252d7565c22159ed8fe27123fb5be1e3",
        ),
        "https://doi.org/10.5244/C.26.135",
    ),
    PublicSet(
        "set14",
        "set14/test",
        "hr",
        Packed(
            _SRCNN,
            "Test/Set14",
            ".bmp",
            14,
            9_148_174,
            "aea0dbd782c591bf314023025cc165b16cd59a21d2ff5777eb5a21da36631d12",
        ),
        "https://doi.org/10.1007/978-3-642-27413-8_47",
    ),
    PublicSet(
        "bsd100",
        "bsds500/val",
        "photo",
        Packed(
            _BSDS,
            "images/test",
            ".jpg",
            100,
            7_696_027,
            "c2541b97777ee29fa81b59a033bd257696b50a173e39a1be8ce527e14db9a735",
        ),
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
    ),
    PublicSet(
        "bsd68",
        "bsd68/test",
        "gray",
        Packed(
            _DNCNN,
            "data/Set68",
            ".png",
            68,
            6_450_605,
            "7db47364c17c50e5bfad018afe5dd55a89a863134adcaedfff4bcec1347ad3cc",
        ),
        "https://github.com/cszn/DnCNN",
    ),
    PublicSet(
        "set12",
        "set12/test",
        "gray",
        Packed(
            _DNCNN,
            "data/Set12",
            ".png",
            12,
            1_195_905,
            "9882b0bb611c6b511fce0fffe533ce92db96202de165317304b409e6176ee5b9",
        ),
        "https://github.com/cszn/DnCNN",
    ),
    PublicSet(
        "signs",
        "sign_digits/train",
        "",
        Packed(
            _SIGNS,
            "Dataset",
            ".JPG",
            2059,
            19_719_847,
            "a28b11269fcb105debcdd55b7ba53b84f8f8a835ecad858dc369b47c2be137c7",
            left_out=("7/IMG_5874.JPG", "7/IMG_5935.JPG", "7/IMG_5978.JPG"),  # whole photographs, not 100x100
        ),
        "https://github.com/ardamavi/Sign-Language-Digits-Dataset",
    ),
    PublicSet(
        "paintings",
        "style/train/style",
        "",
        (
            Single(
                "composition_vii.jpg",
                f"{_STYLES}/composition_vii.jpg",
                202_426,
                "8f992ed4aecd6dd56972d7bc8166761de7c94e670ee6effa8fd05f3daeb33409",
            ),
            Single(
                "shipwreck.jpg", _SHIPWRECK, 144_730, "4f7cf34e3cd4a5daaf3f421f059ca9a01aaa2a3afd7243d6670c9c8bc001a213"
            ),
            Single(
                "starry_night.jpg",
                f"{_STYLES}/starry_night.jpg",
                315_236,
                "0592ab0f7b51b3ce72608a95e53880bd93971e5b48f93a0ce8dfd3cbccf3d098",
            ),
            Single(
                "the_scream.jpg",
                f"{_STYLES}/the_scream.jpg",
                216_723,
                "f3075cddeb974a9ee1d6418f7f33fd05185a7ac7dcb4288bd2805d499a9dcaee",
            ),
            Single("udnie.jpg", _UDNIE, 87_874, "45e510d2a53b4167a22bae12a191eea3018f82d74a2fa17b1573adc1e9dfc7f6"),
            Single(
                "wave.jpg",
                f"{_STYLES}/wave.jpg",
                148_634,
                "14bcf58a39b7095168f27756d76d0c615bb8954acc5eae9e62c66a9684c2ee2b",
            ),
        ),
        "https://github.com/jcjohnson/fast-neural-style/tree/master/images/styles",
    ),
)
SETS = {each.name: each for each in _ALL}
