r"""What each command of `minigan exercise` does; `command` says how it is called."""

import ast
import contextlib
import os
from pathlib import Path

from ...errors import MiniganError
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
    known, chapter = progress.load(progress.home()), ""
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
    folder.mkdir(parents=True, exist_ok=True)
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


def quoted(path):
    r"""The path as it is to be typed."""
    return f'"{path}"' if " " in str(path) else str(path)


def check_command(args):
    r"""`minigan exercise check`: a verdict on each file; status 1 if one is wrong."""
    files = [Path(file) for file in args.files]
    if not files:
        folder = progress.home()
        files = [folder / about["file"] for about in progress.load(folder).values()]
        if not files:
            raise MiniganError(
                f"nothing was started in {folder.resolve()}; `minigan exercise start 1a` does"
            )
    verdicts = [check_one(path) for path in files]
    return int(not all(verdicts))


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
            print(f"  and {len(verdict.failed) - LINES} more checks fail")
    about = {"checks": 1} | ({"right": True} if verdict.right else {})
    with contextlib.suppress(MiniganError):  # the verdict stands, whatever becomes of the note
        progress.note(path.parent, verdict.exercise.key, path.name, **about)
    return verdict.right


def last_started(args):
    r"""(folder, exercise) that a command without a name means."""
    folder = progress.home()
    if args.which is not None:
        return folder, find_one(args.which)
    known = progress.load(folder)
    if not known:
        raise MiniganError("expected the name of an exercise, as none was started here")
    return folder, find(list(known)[-1], numbers)


def hint_command(args):
    r"""`minigan exercise hint`: the next hint."""
    folder, exercise = last_started(args)
    about = progress.load(folder).get(exercise.key)
    every = hints(exercise)
    given = about["hints"] if about else 0
    turn = min(given, len(every) - 1)
    print(f"{title(exercise)}: hint {turn + 1} of {len(every)}\n\n{every[turn]}")
    if about:
        progress.note(folder, exercise.key, about["file"], hints=1)
    return 0


def solution_command(args):
    r"""`minigan exercise solution`: the library's own lines, and where the book has them."""
    folder, exercise = last_started(args)
    print(solution(exercise))
    about = progress.load(folder).get(exercise.key)
    if about:
        progress.note(folder, exercise.key, about["file"], solution=True)
    return 0


def progress_command(args):
    r"""`minigan exercise progress`."""
    folder = Path(args.folder or progress.home())
    known = progress.load(folder)
    for key, about in known.items():
        seen = ", solution seen" if about["solution"] else ""
        counts = f"{about['checks']} checks, {about['hints']} hints{seen}"
        print(f"{status(about):<8} {key:<39}{counts}")
    right = sum(about["right"] for about in known.values())
    print(f"{right} of {len(EXERCISES) + len(BUGS)} exercises are right")
    return 0


def export_command(args):
    r"""`minigan exercise export --notebook`."""
    chosen = [find_one(name) for name in args.names] or [*EXERCISES, *BUGS]
    folder = Path(args.to)
    folder.mkdir(parents=True, exist_ok=True)
    for exercise in chosen:
        path = folder / f"{exercise.key.replace('.', '_')}.ipynb"
        content = notebook.written(exercise, args.solutions, "b" if args.derive else "a")
        write_whole(path, lambda file, content=content: file.write(content.encode()))
        print(path)
    return 0
