r"""What each command of `minigan exercise` does; `command` says how it is called."""

import ast
import contextlib
import os
from itertools import count
from pathlib import Path

from ...errors import MiniganError
from .. import streams
from ..files import plain, write_whole
from . import answer, notebook, progress
from .bugs import BUGS, Bug
from .check import LINES, check_file
from .hints import hints, solution
from .source import function_node, gaps, numbers, student_text, title
from .table import EXERCISES, find


def find_one(word):
    r"""The exercise of that name or number, or of that file."""
    if word.endswith(".py"):
        return answer.read(word)[0]
    return find(word, numbers)


def list_command(args):
    r"""`minigan exercise list`."""
    known, chapter = known_in(progress.home()), ""
    for each in (*EXERCISES, *BUGS):
        heading = "find the bug" if isinstance(each, Bug) else each.chapter
        if heading != chapter:
            print(f"\n{heading}" if chapter else heading)
            chapter = heading
        number = " ".join(f"({n})" for n in numbers(each))
        levels = "a, b" if getattr(each, "derive", "") else "a" if number else ""
        about = known.get(each.key)
        what = f"in {each.chapter}.py" if isinstance(each, Bug) else ""
        line = f"  {number:<11}{each.key:<39}{what or levels:<6}{status(about)}"
        print(line.rstrip())
    print("\nlevel a: the derivation is given; level b (--derive): it is yours too")
    return 0


def known_in(folder):
    r"""What progress knows; of a file that is not ours no more is said than that."""
    try:
        return progress.load(folder)
    except MiniganError as error:
        streams.say(f"minigan: {plain(str(error))}")
        return {}


def status(about):
    r"""What has become of an exercise, in two words."""
    if not about:
        return ""
    return "right" if about["right"] else "started"


def start_command(args):
    r"""`minigan exercise start`: write the student's file, and say what is to be done."""
    exercise = find(args.which, numbers)
    folder, level = Path(args.to or progress.home()), "b" if args.derive else "a"
    if args.derive and isinstance(exercise, Bug):
        raise MiniganError("--derive: a bug has no derivation")
    text = student_text(exercise, level)
    suffix = f"_{exercise.chapter}" if isinstance(exercise, Bug) else ""
    path = folder / f"{exercise.key.replace('.', '_')}{suffix}.py"
    if os.path.lexists(path) and not args.again:
        raise MiniganError(f"{path} is there already; check it, or begin anew with --again")
    progress.load(folder)  # before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        set_aside(path, exercise)
    write_whole(path, lambda file: file.write(text.encode()))
    progress.begin(folder, exercise.key, path.name, level)
    print(f"{path}\n{title(exercise)}")
    if isinstance(exercise, Bug):
        print("Something is wrong in this chapter, in one place. Find it and mend it.")
    else:
        lines = gaps(function_node(ast.parse(text), exercise.function))
        where = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
        print(f'Write what is missing in the place of "..." on {where}.')
    print(f"Then: minigan exercise check {quoted(path)}")
    return 0


def set_aside(path, exercise):
    r"""Rename a file that the student has written in, so that nothing of it is lost."""
    try:
        found, text = answer.read(path)
    except MiniganError:
        found, text = None, ""
    if found is not exercise:
        raise MiniganError(f"{path}: this is another file, not {exercise.key}; move it away")
    levels = "ab" if getattr(exercise, "derive", "") else "a"
    if text in [student_text(exercise, level) for level in levels]:
        return
    n = next(n for n in count(1) if not os.path.lexists(path.with_suffix(f".{n}.py")))
    kept = path.with_suffix(f".{n}.py")
    os.rename(path, kept)
    print(f"what was there is kept in {kept}")


def quoted(path):
    r"""The path as it is to be typed."""
    return f'"{path}"' if " " in str(path) else str(path)


def check_command(args):
    r"""`minigan exercise check`: a verdict on each file; status 1 if one is wrong."""
    files = [path for word in args.files or [progress.home()] for path in files_of(word)]
    verdicts = [check_one(path) for path in files]
    return int(not all(verdicts))


def files_of(word):
    r"""The files that a word of the command line means: its own, a folder's, an exercise's."""
    path = Path(word)
    if path.is_dir() or path == progress.home():
        known = progress.load(path)
        return [path / about["file"] for about in known.values()] or written_in(path)
    if path.suffix == ".py" or path.exists():
        return [path]
    folder, exercise = progress.home(), find_one(word)
    about = progress.load(folder).get(exercise.key)
    if about is None:
        raise MiniganError(
            f"{word} was not started in {folder.resolve()}; `minigan exercise start {word}` "
            "does, and a file or a folder elsewhere can be named"
        )
    return [folder / about["file"]]


def written_in(folder):
    r"""The files in a folder that name an exercise, in alphabetical order."""
    found = []
    for path in sorted(folder.glob("*.py")):
        with contextlib.suppress(MiniganError):
            answer.read(path)
            found.append(path)
    if not found:
        raise MiniganError(
            f"nothing was started in {folder.resolve()}; `minigan exercise start 1a` does"
        )
    return found


def check_one(path):
    r"""Print the verdict on one file, note it beside the file, and say whether it is right."""
    try:
        verdict = check_file(path)
    except MiniganError as error:
        print(f"{path}: not yet: {plain(str(error)).removeprefix(f'{path}: ')}")
        return False
    if verdict.printed:
        print(f"{path} printed:")
        print("\n".join(f"  | {plain(line)}" for line in verdict.printed.splitlines()[:20]))
    print(f"{path}: {plain(repr(verdict))}")
    if not verdict.right:
        for line in verdict.failed[:LINES]:
            print("\n".join(f"  {each}" for each in line.splitlines()))
        if len(verdict.failed) > LINES:
            more = len(verdict.failed) - LINES
            print(f"  and {counted(more, 'more check')} fail{'s' * (more == 1)}")
    about = {"checks": 1} | ({"right": True} if verdict.right else {})
    with contextlib.suppress(MiniganError):  # the verdict stands, whatever becomes of the note
        folder = progress.beside(path)
        file = os.path.relpath(path, folder)
        progress.note(folder, verdict.exercise.key, file, **about)
    return verdict.right


def counted(number, what):
    r"""Such as "1 check" or "2 checks"."""
    return f"{number} {what}{'s' * (number != 1)}"


def last_started(args):
    r"""(folder, exercise) that a command means, whether it names one or not."""
    folder = Path(args.to) if args.to else progress.home()
    if args.which is not None:
        exercise = find_one(args.which)
        if args.which.endswith(".py") and not args.to:
            folder = progress.beside(args.which)
        return folder, exercise
    known = progress.load(folder)
    if not known:
        raise MiniganError("expected the name of an exercise, as none was started here")
    return folder, find(list(known)[-1], numbers)


def hint_command(args):
    r"""`minigan exercise hint`: the next hint."""
    folder, exercise = last_started(args)
    about = known_in(folder).get(exercise.key)
    every = hints(exercise)
    given = about["hints"] if about else 0
    turn = min(given, len(every) - 1)
    print(f"{title(exercise)}: hint {turn + 1} of {len(every)}\n\n{every[turn]}")
    if about:
        progress.note(folder, exercise.key, about["file"], hints=1)
    else:
        print(f"\nIt was not started in {folder}, so the next hint would be this one again; ")
        print("`--to FOLDER` says where it was.")
    return 0


def solution_command(args):
    r"""`minigan exercise solution`: the library's own lines, and where the book has them."""
    folder, exercise = last_started(args)
    print(solution(exercise))
    about = known_in(folder).get(exercise.key)
    if about:
        progress.note(folder, exercise.key, about["file"], solution=True)
    return 0


def progress_command(args):
    r"""`minigan exercise progress`."""
    folder = Path(args.folder or progress.home())
    known = progress.load(folder)
    for key, about in known.items():
        seen = ", solution seen" if about["solution"] else ""
        counts = f"{counted(about['checks'], 'check')}, {counted(about['hints'], 'hint')}{seen}"
        print(f"{status(about):<8} {key:<39}{counts}")
    right = sum(about["right"] for about in known.values())
    print(f"{right} of {len(EXERCISES) + len(BUGS)} exercises are right")
    return 0


def export_command(args):
    r"""`minigan exercise export --notebook`."""
    chosen = [find_one(name) for name in args.names] or [*EXERCISES, *BUGS]
    folder = Path(args.to)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{exercise.key.replace('.', '_')}.ipynb" for exercise in chosen]
    for path in filter(os.path.lexists, paths):
        if not notebook.unedited(path):
            raise MiniganError(
                f"{path} is not as minigan wrote it, and nothing is replaced; move it away or "
                "name another folder with --to"
            )
    for exercise, path in zip(chosen, paths):
        content = notebook.written(exercise, args.solutions, "b" if args.derive else "a")
        write_whole(path, lambda file, content=content: file.write(content.encode()))
        print(path)
    return 0
