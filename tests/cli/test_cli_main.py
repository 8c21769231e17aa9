"""Exit codes and what goes to standard error, whatever the command."""

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest

from fer_sklearn import cli
from fer_sklearn.cli import main
from fer_sklearn.exceptions import FERError


@pytest.fixture
def command(monkeypatch):
    """Let ``fer-sklearn inspect MODEL`` run a function of the test's own."""

    def use(function):
        module = SimpleNamespace(run=function)
        monkeypatch.setattr(cli, "command_module", lambda name: module)

    return use


def _raise(error):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FERError("Row 3\nis bad."), "Row 3 is bad."),
        (FileNotFoundError(2, "No such file", "a.csv"), "a.csv: No such file"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (TypeError("a fault"), "TypeError: a fault (--debug shows where)"),
        (ValueError(), "ValueError:  (--debug shows where)"),
    ],
)
def test_a_failure_is_one_line_and_exit_status_1(command, capsys, error, line):
    command(_raise(error))
    assert main(["inspect", "x"]) == 1
    assert capsys.readouterr() == ("", f"fer-sklearn: error: {line}\n")


def test_debug_shows_the_traceback(command):
    command(_raise(FERError("Row 3 is bad.")))
    with pytest.raises(FERError, match=r"Row 3"):
        main(["inspect", "x", "--debug"])


def test_ctrl_c_exits_with_130(command, capsys):
    command(_raise(KeyboardInterrupt()))
    assert main(["inspect", "x"]) == 130
    assert capsys.readouterr().err == "fer-sklearn: stopped by Ctrl-C\n"


def test_warnings_are_lines_without_source_code(command, capsys):
    def run(args):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the model is of another version", stacklevel=1)
        return 0

    command(run)
    assert main(["inspect", "x"]) == 0
    expected = "fer-sklearn: warning: the model is of another version\n"
    assert capsys.readouterr().err == expected


def test_messages_name_options_instead_of_parameters(command, capsys):
    def run(args):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("max_time ended the training early.", stacklevel=1)
        raise FERError("Row 3 is bad. Or set image_shape=(height, width).")

    command(run)
    assert main(["inspect", "x"]) == 1
    assert capsys.readouterr().err == (
        "fer-sklearn: warning: --max-time ended the training early.\n"
        "fer-sklearn: error: Row 3 is bad. Or train a model on them: fer-sklearn train "
        '--set "pixels__image_shape=(height, width)".\n'
    )


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_closed_pipe_is_no_error():
    code = (
        "import sys, types, fer_sklearn.cli as cli;"
        "run = lambda args: [print('line') for _ in range(10**6)];"
        "cli.command_module = lambda name: types.SimpleNamespace(run=run);"
        "from fer_sklearn.cli import main; sys.exit(main(['inspect', 'x']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert error == b""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the OpenMP of GNU")
@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, "10000"),
        ({"GOMP_SPINCOUNT": "5000"}, "5000"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "0"),
    ],
)
def test_threads_that_wait_soon_sleep_unless_the_user_chose(tmp_path, own, expected):
    """OpenMP shows the settings that it has read when torch was loaded."""
    unset = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    found = subprocess.run(
        [sys.executable, "-m", "fer_sklearn", "train", "missing.csv"],
        cwd=tmp_path,
        env={**env, **own, "OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 1
    assert f"GOMP_SPINCOUNT = '{expected}'" in found.stderr
