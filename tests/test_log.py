"""metrics.csv: what is read of a log, however damaged, and what is written to it."""

import os

import pytest

from minigan import RunError
from minigan.lab import log

HEADER = "step,seconds,loss_D,D(G(z))\n"
NAMES = ("step", "seconds", "loss_D", "D(G(z))")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def steps(path):
    """The steps of the rows that are read, all of which must be under the right header."""
    names, rows = log.read_log(path)
    assert names == NAMES
    assert all(len(row) == len(NAMES) for row in rows)
    return [int(row[0]) for row in rows]


def test_a_log_is_read_as_it_was_written(path):
    assert log.begin(path, ["loss_D", "D(G(z))"]) == ["loss_D", "D(G(z))"]
    log.append(path, ["1", "0.250", "1.5", "-2"])
    log.append(path, ["10", "0.500", "1e-30", "0.5"])
    assert path.read_text() == HEADER + "1,0.250,1.5,-2\n10,0.500,1e-30,0.5\n"
    rows = [("1", "0.250", "1.5", "-2"), ("10", "0.500", "1e-30", "0.5")]
    assert log.read_log(path) == (NAMES, rows)
    assert log.columns(path) == {
        "step": (1.0, 10.0),
        "seconds": (0.25, 0.5),
        "loss_D": (1.5, 1e-30),
        "D(G(z))": (-2.0, 0.5),
    }


def test_where_there_is_no_log_nothing_is_read(path):
    assert log.read_log(path) == ((), [])
    assert log.columns(path) == {}
    path.write_text(HEADER)
    assert log.read_log(path) == (NAMES, [])
    assert log.columns(path) == {}


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("2,2,2,2\n", True),
        ("2,2,2,2\r\n", True),
        (" 2 , 2 ,\t2, 2 \n", True),
        ("2,-2,2,2\n", True),
        ("2,2,2,2", False),  # a kill came within the line, or just before its end
        ("2,2,2,2\r", False),
        ("2,2,2\n", False),
        ("2,2,2,2,2\n", False),
        ("2,2,2,\n", False),
        ("2.0,2,2,2\n", False),
        ("1,2,2,2\n", False),  # not higher than the step before
        ("0,2,2,2\n", False),
        ("-2,2,2,2\n", False),
        ("2,nan,2,2\n", False),
        ("2,2,2,inf\n", False),
        ("2,2,-inf,2\n", False),
        ("two,2,2,2\n", False),
        ("\n", False),
        (HEADER, False),
        ("step,seconds,other,names\n", False),
    ],
)
def test_a_row_has_a_number_for_each_column_and_a_higher_step(path, line, kept):
    path.write_text(f"{HEADER}1,1,1,1\n{line}", newline="")
    assert steps(path) == ([1, 2] if kept else [1])
    if line.endswith("\n"):
        path.write_text(f"{HEADER}1,1,1,1\n{line}3,3,3,3\n", newline="")
        assert steps(path) == ([1, 2, 3] if kept else [1, 3])


def test_seconds_and_losses_may_fall_and_be_larger_than_steps(path):
    path.write_text(HEADER + "1,9,8,7\n2,3,-4,5\n3,5,0,0\n")
    assert steps(path) == [1, 2, 3]


def test_the_first_row_has_a_step_above_zero(path):
    path.write_text(HEADER + "0,1,1,1\n-1,1,1,1\n1,1,1,1\n")
    assert steps(path) == [1]


def test_bytes_that_are_no_text_cost_only_their_line(path):
    path.write_bytes(HEADER.encode() + b"1,1,1,1\n2,\xff\xfe,2,2\n3,3,3,3\n")
    assert steps(path) == [1, 3]


def test_an_editors_mark_at_the_beginning_is_no_part_of_the_header(path):
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"1,1,1,1\n")
    assert steps(path) == [1]


def test_what_stands_before_the_header_is_left_out(path):
    path.write_text("1,1,1,1\nnotes,of,mine,here\n\n" + HEADER + "2,1,1,1\n")
    assert steps(path) == [2]


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ("step,seconds,x", True),
        ("step, seconds ,x", True),
        ("step,seconds," + 40 * "x", True),
        ("step,seconds,a_b-c (1) Z9", True),
        ("step,seconds,D(x)>D(G(z))", True),
        ("step,seconds", False),
        ("step,seconds," + 41 * "x", False),
        ("step,seconds,", False),
        ("step,seconds,x,x", False),
        ("step,seconds,step", False),
        ("seconds,step,x", False),
        ("step,time,x", False),
        ("steps,seconds,x", False),
        ("step,seconds,x$", False),
        ("step,seconds,$x", False),
        ("step,seconds,x,é", False),
    ],
)
def test_a_header_begins_with_step_and_seconds_and_has_plain_names_once_each(
    path, header, good
):
    path.write_text(f"{header}\n{','.join('1' * len(header.split(',')))}\n", "utf-8")
    names, rows = log.read_log(path)
    assert names == (tuple(n.strip() for n in header.split(",")) if good else ())
    assert len(rows) == good


def test_a_log_is_read_up_to_a_size(path, monkeypatch):
    path.write_text(HEADER + "1,1,1,1\n")
    size = path.stat().st_size
    assert log.LARGEST >= 2**24  # two thousand lines have a tenth of a megabyte
    monkeypatch.setattr(log, "LARGEST", size)
    assert steps(path) == [1]
    monkeypatch.setattr(log, "LARGEST", size - 1)
    with pytest.raises(RunError, match=f"metrics.csv: expected at most {size - 1} bytes"):
        log.read_log(path)


def test_a_link_that_leads_nowhere_is_no_empty_log(path):
    path.symlink_to("nowhere")
    with pytest.raises(RunError, match="cannot read .*No such file"):
        log.read_log(path)


# ---- writing ----


@pytest.mark.parametrize(
    ("step", "kept", "seconds"),
    [(0, 0, 0.0), (1, 1, 0.5), (2, 1, 0.5), (3, 2, 2.5), (9, 3, 4.0)],
)
def test_what_was_logged_later_is_dropped_and_the_clock_goes_on_from_the_rest(
    path, step, kept, seconds
):
    rows = ["1,0.5,1,1\n", "3,2.5,1,1\n", "5,4.0,1,1\n"]
    path.write_text(HEADER + "".join(rows) + "7,5.0,1")
    assert log.cut_log(path, step) == seconds
    assert path.read_text() == HEADER + "".join(rows[:kept])


def test_cutting_what_is_no_log_leaves_an_empty_file(path):
    for content in (None, b"", b"step,sec"):
        if content is not None:
            path.write_bytes(content)
        assert log.cut_log(path, 5) == 0.0
        assert path.read_bytes() == b""


def test_a_log_of_the_same_columns_goes_on_in_its_own_order(path):
    path.write_text(HEADER + "1,1,1,1\n")
    assert log.begin(path, ["D(G(z))", "loss_D"]) == ["loss_D", "D(G(z))"]
    assert path.read_text() == HEADER + "1,1,1,1\n"
    assert os.listdir(path.parent) == ["metrics.csv"]


@pytest.mark.parametrize("names", [["loss_D"], ["loss_D", "D(G(z))", "new"], ["loss_D", "x"]])
def test_a_log_of_other_columns_is_moved_aside(path, names):
    path.write_text(HEADER + "1,1,1,1\n")
    assert log.begin(path, names) == names
    assert path.read_text() == ",".join(["step", "seconds", *names]) + "\n"
    assert (path.parent / "metrics.csv.old").read_text() == HEADER + "1,1,1,1\n"
    assert len(os.listdir(path.parent)) == 2


def test_a_log_that_cannot_be_moved_aside_is_left_and_the_reason_told(path):
    path.write_text(HEADER + "1,1,1,1\n")
    (path.parent / "metrics.csv.old").mkdir()
    with pytest.raises(RunError, match="^cannot move .*metrics.csv aside: Is a directory$"):
        log.begin(path, ["x"])
    assert path.read_text() == HEADER + "1,1,1,1\n"


def test_a_row_makes_the_file_if_it_is_not_there_with_the_users_own_permissions(path):
    for name, mask, mode in (("open", 0, 0o666), ("closed", 0o027, 0o640)):
        before = os.umask(mask)
        try:
            log.append(path.with_name(name), ["1", "2"])
        finally:
            os.umask(before)
        assert path.with_name(name).read_text() == "1,2\n"
        assert path.with_name(name).stat().st_mode & 0o777 == mode


def test_rows_follow_what_is_there_whoever_wrote_it(path):
    log.append(path, ["1", "1"])
    path.write_text("x\n")
    log.append(path, ["2", "2"])
    assert path.read_text() == "x\n2,2\n"


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links can be followed here only")
def test_a_row_is_not_written_through_a_link(path):
    other = path.with_name("thesis")
    other.write_text("years of work")
    path.symlink_to(other)
    with pytest.raises(RunError, match="^cannot write .*metrics.csv: "):
        log.append(path, ["1", "1"])
    assert other.read_text() == "years of work"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("read", [False, True])
def test_a_row_is_not_written_into_a_pipe(path, read):
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if read else None
    with pytest.raises(RunError, match="expected a file, this is something else|cannot write"):
        log.append(path, ["1", "1"])
    if read:
        assert os.read(reader, 10) == b""
        os.close(reader)


def test_a_folder_in_the_place_of_the_log_is_an_error(path):
    path.mkdir()
    with pytest.raises(RunError, match="^cannot write .*metrics.csv: Is a directory"):
        log.append(path, ["1", "1"])
