r"""What a student has started, checked and solved, kept in the folder of the exercises."""

import json
from pathlib import Path

from ...errors import MiniganError
from ..files import read_bytes, write_whole

NAME = "progress.json"
FOLDER = "exercises"  # beside which, or in which, the commands look
COUNTS = "checks", "hints"
FLAGS = "right", "solution"


def home():
    r"""The folder that is meant where none is named: this one, if it has a progress.json."""
    return Path() if Path(NAME).exists() else Path(FOLDER)


def beside(file):
    r"""The folder in which a verdict on a file is noted: the file's own.

    But in the current folder no progress begins that would hide the one in exercises/.
    """
    own = Path(file).parent
    return home() if own.resolve() == Path().resolve() and load(home()) else own


def load(folder):
    r"""{key: what is known of that exercise}, in the order in which they were started."""
    path = Path(folder) / NAME
    if not path.exists():
        return {}
    try:
        known = json.loads(read_bytes(path, 1_000_000))["exercises"]
        return {str(key): entry(about) for key, about in known.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, MiniganError):
            raise
        raise MiniganError(
            f"{path}: expected the progress that minigan wrote there; remove the file to begin "
            "anew, the answers stay"
        ) from None


def entry(about):
    r"""What is known of one exercise, with nothing but what belongs there."""
    return {
        "file": str(about["file"]),
        "level": str(about["level"]),
        **{name: int(about.get(name, 0)) for name in COUNTS},
        **{name: bool(about.get(name, False)) for name in FLAGS},
    }


def begin(folder, key, file, level):
    r"""Note that an exercise was started; what was known of it is kept, but for its verdict."""
    known = load(folder)
    before = known.pop(key, {})
    known[key] = entry(before | {"file": file, "level": level, "right": False})
    save(folder, known)


def note(folder, key, file, **changes):
    r"""Change what is known of one exercise: counts are added, flags set."""
    known = load(folder)
    about = known.setdefault(key, entry({"file": file, "level": "a"}))
    for name, value in changes.items():
        about[name] = about[name] + value if name in COUNTS else value
    save(folder, known)


def save(folder, known):
    r"""Write progress.json whole."""
    text = json.dumps({"exercises": known}, indent=1, ensure_ascii=False) + "\n"
    write_whole(Path(folder) / NAME, lambda file: file.write(text.encode()))
