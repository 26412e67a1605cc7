"""Addresses, sizes and hashes of public image files that tensorflow-datasets does not provide.

URLs on GitHub name one commit, so that their content never changes. The hashes are those of the files that the recipes
and scores were computed with, or of originals with the same pixels.
"""

from dataclasses import dataclass

from cnnzoo.imaging.folders import PICTURE_SUFFIXES
from cnnzoo.utils.atomic_files import data_dir


@dataclass(frozen=True)
class Archive:
    """A .zip or .tgz file, which may hold several sets.

    Attributes:
        url: Address of the file.
        name: File name in the download folder.
        top: Folder inside the archive that contains everything else.
        bytes: Approximate size; GitHub compresses an archive again for each download.
    """

    url: str
    name: str
    top: str
    bytes: int


@dataclass(frozen=True)
class Packed:
    """Files inside an archive.

    Attributes:
        archive: The archive.
        folder: Folder inside the archive.
        ending: Common ending of the file names, such as "_GT.bmp". The part before the suffix is removed on extraction.
        files: Number of files.
        bytes: Total size.
        sha256: SHA-256 of the text that `listing` makes of the files.
        left_out: Names of files that are not extracted.
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
    """A file with its own address.

    Attributes:
        name: File name on this machine.
        url: Address of the file.
        bytes: Size.
        sha256: SHA-256 of the file.
    """

    name: str
    url: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class PublicSet:
    """Files that `cnnzoo.data.get` can download.

    Attributes:
        folder: Folder of the images, relative to `CNNZOO_DATA_DIR`.
        label: Subfolder that the files are written to; "" for `folder` itself.
        content: Files of an archive, or single files.
    """

    folder: str
    label: str
    content: Packed | tuple[Single, ...]

    @property
    def files(self) -> int:
        """Number of files."""
        return self.content.files if isinstance(self.content, Packed) else len(self.content)

    @property
    def bytes(self) -> int:
        """Total size of the files."""
        return self.content.bytes if isinstance(self.content, Packed) else sum(each.bytes for each in self.content)

    @property
    def download(self) -> int:
        """Approximate size of the download in bytes."""
        return self.content.archive.bytes if isinstance(self.content, Packed) else self.bytes

    def here(self) -> int:
        """Number of images on this machine: all images in the folder, or those of the listed single files."""
        folder = data_dir() / self.folder
        if not isinstance(self.content, Packed):
            return sum((folder / self.label / each.name).is_file() for each in self.content)
        found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
        return sum(not any(part.startswith(".") for part in path.parts) for path in found)


def listing(sha256s: dict[str, str]) -> str:
    """Formats {name: SHA-256} like the program sha256sum, sorted by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sha256s.items()))


def _github(repository: str, commit: str, bytes: int) -> Archive:
    """The archive of one commit of a repository on GitHub, such as "owner/name"."""
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

T91 = PublicSet(
    "t91/train",
    "hr",
    Packed(_SRCNN, "Train", ".bmp", 91, 16_102_570, "a0650b24564bf5928a18eae0f33bdd0132bd4d69b918e09ae3e3954943a5e917"),
)
BSDS500 = PublicSet(
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
)
TRAIN400 = PublicSet(
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
)
SET5 = PublicSet(
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
)
SET14 = PublicSet(
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
)
BSD100 = PublicSet(
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
)
BSD68 = PublicSet(
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
)
SET12 = PublicSet(
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
)
SIGNS = PublicSet(
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
)
PAINTINGS = PublicSet(
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
)
