r"""How `minigan exercise` is called; `actions` says what it does."""

from importlib import import_module

GUIDE = """minigan exercise: the chapters with lines taken out, to be filled in and proven.

  minigan exercise start Dense.dx      writes a file with a gap into exercises/
  minigan exercise check               says whether your answer is right, and if not, why
  minigan exercise hint                helps, a little more each time
  minigan exercise list                shows all exercises

minigan exercise --help has the other commands and more examples.
"""
EXAMPLES = """examples:
  minigan exercise list
  minigan exercise start 2a                 by the equation: a file in exercises/
  minigan exercise start Dense.dx           by the function
  minigan exercise start 2a --derive        the same without the derivation, which is yours
  minigan exercise start bug3 --to week2    a chapter with a bug in it
  minigan exercise check                    all that was started, or the files you name
  minigan exercise check week2              all in a folder
  minigan exercise hint 2a                  another hint each time
  minigan exercise hint bug3 --to week2     of what was started there
  minigan exercise solution 2a
  minigan exercise progress
  minigan exercise export --notebook 1a 2a bug3 --to week1
  minigan exercise export --notebook 1a --to teacher --solutions

What a check does: it looks at the file's syntax tree (only the one function changed, no
imports, no complex numbers, nothing that knows the result), then runs it in a process of its
own, with 10 seconds of computing at most, in the place of the chapter and without the original,
and proves it at new random points and shapes each time. What it does not do: it is no sandbox.
Run only files that you or your students wrote.
"""


def add_exercise(subs, add_command):
    r"""`minigan exercise` and its commands, by the command line's own `add_command`."""
    text = "learn by doing: fill in missing equations, find bugs"
    top = add_command(subs, "exercise", text, EXAMPLES, guide)
    inner = top.add_subparsers(metavar="WHAT")

    def add(name, text, **defaults):
        return add_command(inner, name, text, EXAMPLES, action(name), **defaults)

    add("list", "show all exercises")
    start = add("start", "write the file of an exercise",
                to=None, derive=False, again=False)  # fmt: skip
    start.add_argument("which", metavar="NAME", help="an equation, such as 2a, or a name: bug3")
    start.add_argument("--to", metavar="FOLDER", help="where to (default exercises)")
    start.add_argument("--derive", action="store_true", help="without the derivation")
    start.add_argument("--again", action="store_true", help="anew; your lines are kept beside")
    check = add("check", "say whether answers are right", files=[])
    text = "a file, a folder, or the name of an exercise; default: all that was started"
    check.add_argument("files", metavar="FILE", nargs="*", help=text)
    for name, text in (
        ("hint", "give a hint, another each time"),
        ("solution", "show the library's own lines"),
    ):
        one = add(name, text, which=None, to=None)
        one.add_argument("--to", metavar="FOLDER", help="where it was started")
        one.add_argument("which", metavar="NAME", nargs="?", help="default: the last started")
    shown = add("progress", "show what was started and solved", folder=None)
    shown.add_argument("folder", metavar="FOLDER", nargs="?", help="default exercises")
    export = add("export", "write exercises as notebooks", names=[],
                 to="notebooks", solutions=False, derive=False)  # fmt: skip
    export.add_argument("names", metavar="NAME", nargs="*", help="default: all")
    export.add_argument("--notebook", action="store_true", required=True, help="as notebooks")
    export.add_argument("--to", metavar="FOLDER", help="default notebooks")
    export.add_argument("--derive", action="store_true", help="without the derivations")
    export.add_argument("--solutions", action="store_true", help="the teacher's version")


def guide(args):
    r"""`minigan exercise` alone."""
    print(GUIDE, end="")
    return 0


def action(name):
    r"""The function of `actions` that carries a command out, imported when it is needed."""

    def run(args):
        return getattr(import_module(f"{__package__}.actions"), f"{name}_command")(args)

    return run
