r"""A folder of images as rows of pixels; its subfolders are the classes.

Each image is turned as its EXIF orientation says, cropped in the middle to the proportions that
are wanted, scaled, and laid on white or black where it is transparent; of a film the first
picture is taken. Its size is known before it is unpacked, and too large a one is refused.
"""

import contextlib
import os
import warnings

import numpy as np

from ..arrays import check_memory
from ..errors import DataError
from .files import open_regular, why
from .npy import damaged
from .pixels import crop
from .source import LARGEST_SIDE, in_order, is_hidden

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP"]
MOST_PIXELS = 2**25  # of an image that is unpacked whole; of a JPEG fewer are
MOST_FILES = 1_000_000
DEEPEST = 16  # folders within folders
ORIENTATION = 0x0112  # the tag of EXIF
TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
TURNS |= {6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}
LYING = (5, 6, 7, 8)  # orientations that exchange height and width


def is_image(name):
    r"""Whether a file is called as an image."""
    return name.lower().endswith(SUFFIXES)


def find_images(folder):
    r"""The images in a folder and below it, as tuples of names, in an order of their own."""
    found, seen, todo = [], set(), [()]
    while todo:
        inside = todo.pop()
        for entry in entries(os.path.join(folder, *inside)):
            names = (*inside, entry.name)
            if os.path.isdir(entry.path):
                real = os.path.realpath(entry.path)
                if len(names) <= DEEPEST and real not in seen:  # a link may lead back
                    seen.add(real)
                    todo.append(names)
            elif is_image(entry.name):
                found.append(names)
        if len(found) > MOST_FILES:
            raise DataError(f"data: {folder} holds more than {MOST_FILES:,} images")
    return sorted(found, key=lambda names: [in_order(name) for name in names])


def entries(folder):
    r"""What a folder holds, but for hidden files, in order."""
    try:
        with os.scandir(folder) as found:
            found = [entry for entry in found if not is_hidden(entry.name)]
    except OSError as error:
        raise DataError(f"data: cannot read the folder {folder}: {why(error)}") from None
    return sorted(found, key=lambda entry: in_order(entry.name))


def classes_of(folder, images):
    r"""The name of each image's class, the subfolder it lies in; None if there are no two."""
    tops = {names[0] if len(names) > 1 else None for names in images}
    if None in tops and len(tops) > 1:
        alone = next(names[0] for names in images if len(names) == 1)
        inside = sorted(tops - {None}, key=in_order)[0]
        raise DataError(
            f"data: {folder} holds images such as {alone} beside subfolders such as {inside}/; "
            "put all images into subfolders, which are the classes, or none"
        )
    return [in_order(names[0])[0] for names in images] if len(tops) > 1 else None


def read_images(folder, images, reading):
    r"""(rows of pixels (n, d), image_shape, how many are transparent in places)."""
    paths = [os.path.join(folder, *names) for names in images]
    first = first_size(paths, reading)
    height, width = reading.size or first
    colours = () if reading.grey else (3,)
    shape = (len(paths), height, width, *colours)
    check_memory(f"{len(paths):,} images of {height} x {width}", 5 * int(np.prod(shape)))
    pixels, transparent = np.empty(shape, np.uint8), 0
    for i, path in enumerate(paths):
        with opened(path) as picture:
            if not reading.size and upright(picture)[::-1] != first:
                raise DataError(sizes_differ(paths[0], first, path, upright(picture)[::-1]))
            pixels[i], clear = unpacked(picture, (height, width), reading)
            transparent += clear
    if reading.grey is None and all(
        np.array_equal(some[..., 0], some[..., c]) for some in pixels for c in (1, 2)
    ):
        pixels = np.ascontiguousarray(pixels[..., 0])
    x = np.divide(pixels, 255, dtype=np.float32)
    return x.reshape(len(x), -1), pixels.shape[1:], transparent


def first_size(paths, reading):
    r"""(height, width) of the first image, if pictures are not scaled."""
    if reading.size:
        return None
    with opened(paths[0]) as picture:
        w, h = upright(picture)
    if max(h, w) > LARGEST_SIDE:
        raise DataError(
            f"{paths[0]}: an image of {h} x {w}; images of more than {LARGEST_SIDE} x "
            f"{LARGEST_SIDE} are too large to learn from; --size 28 crops and scales them"
        )
    return h, w


def sizes_differ(path, shape, other, its_shape):
    r"""Why images of several sizes need `--size`."""
    (h, w), (its_h, its_w) = shape, its_shape
    return (
        f"{other}: an image of {its_h} x {its_w}, {os.path.basename(path)} of {h} x {w}; "
        f"--size {min(28, h, w)} crops and scales them all"
    )


@contextlib.contextmanager
def opened(path):
    r"""An open image of Pillow's, not yet unpacked; whatever goes wrong is one DataError."""
    from PIL import Image

    with (
        open_regular(path, DataError) as file,
        damaged(path, "an image in PNG, JPEG, BMP, GIF or WebP"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of a large image, of damaged EXIF
        if not os.fstat(file.fileno()).st_size:
            raise DataError("an empty file; expected an image")
        with Image.open(file, formats=FORMATS) as picture:
            yield picture


def orientation(picture):
    r"""1 to 8, as EXIF has it; 1 where nothing sound is said."""
    with contextlib.suppress(Exception):  # damaged EXIF raises nearly anything
        found = picture.getexif().get(ORIENTATION, 1)
        return found if found in TURNS else 1
    return 1


def upright(picture):
    r"""(width, height) of an image once it is turned."""
    return picture.size[:: -1 if orientation(picture) in LYING else 1]


def unpacked(picture, shape, reading):
    r"""(pixels (h, w) or (h, w, 3) as uint8, whether some were transparent)."""
    from PIL import Image

    turn = orientation(picture)
    size = shape if turn in LYING else shape[::-1]  # (width, height) before it is turned
    mode = "L" if reading.grey else "RGB"
    if max(picture.size) > 2 * max(size):
        picture.draft(mode, (2 * size[0], 2 * size[1]))  # unpacks an eighth of a JPEG, say
    w, h = picture.size
    if w * h > MOST_PIXELS:
        raise DataError(f"an image of {h} x {w}; expected at most {MOST_PIXELS:,} pixels")
    clear = "A" in picture.getbands() or "transparency" in picture.info
    picture = of_eight_bits(picture, "RGBA" if clear else mode)
    if picture.size != size:
        box = crop(picture.size, size)
        picture = picture.resize(size, Image.Resampling.LANCZOS, box)
    if clear:
        clear = picture.getextrema()[3][0] < 255
        behind = Image.new("RGBA", picture.size, reading.background)
        picture = Image.alpha_composite(behind, picture).convert(mode)
    if turn in TURNS:
        picture = picture.transpose(getattr(Image.Transpose, TURNS[turn]))
    return np.asarray(picture), clear


def of_eight_bits(picture, mode):
    r"""The image in that mode of Pillow's; grey ones of 16 bits lose the lower eight."""
    from PIL import Image

    if picture.mode.startswith("I"):
        numbers = np.asarray(picture).astype(np.int32) >> 8
        picture = Image.fromarray(np.clip(numbers, 0, 255).astype(np.uint8))
    return picture if picture.mode == mode else picture.convert(mode)
