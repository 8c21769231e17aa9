import subprocess
import sys

import pytest

import fer_sklearn
from fer_sklearn.cli import main
from fer_sklearn.cli.parser import build_parser, duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45", 45), ("1.5M", 90)],
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--max-time=soon", "'soon' is not a time; write it as 45s, 90m, 2h or 1h30m"),
        ("--max-time=2h!", "'2h!' is not a time"),
        ("--max-time=0s", "'0s' is not a time"),
        ("--epochs=0", "'0' is not a whole number of at least 1"),
        ("--epochs=2.5", "'2.5' is not a whole number of at least 1"),
        ("--lr=nan", "'nan' is not a number above 0"),
        ("--lr=0", "'0' is not a number above 0"),
        ("--seed=-1", "'-1' is not a whole number from 0 to 4294967295"),
        ("--set=lr=1", "'lr=1' is not STEP__PARAMETER=VALUE"),
        ("--set=cnn__lr", "'cnn__lr' is not STEP__PARAMETER=VALUE"),
        ("--precision=float8", "choose from"),
        ("--colour=red", "unrecognized arguments: --colour=red"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(argument, message, capsys):
    assert main(["train", argument]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_is_a_port(port, capsys):
    assert main(["serve", "--port", port]) == 2
    assert "--port" in capsys.readouterr().err


def test_no_arguments_print_the_help(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: fer-sklearn")
    assert "examples:" in out


def test_no_command_is_wrong_usage(capsys):
    assert main(["--debug"]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_every_command_explains_itself(capsys):
    commands = build_parser()._subparsers._group_actions[0].choices
    assert set(commands) == {"train", "evaluate", "predict", "inspect", "serve"}
    for name in commands:
        assert main([name, "--help"]) == 0
        assert "example" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fer-sklearn {fer_sklearn.__version__}\n"


def test_help_loads_no_numeric_library():
    code = (
        "import sys; from fer_sklearn.cli import main; main(['train', '--help']);"
        "heavy = {'numpy', 'pandas', 'sklearn', 'torch', 'PIL'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "fer_sklearn", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: fer-sklearn ")
