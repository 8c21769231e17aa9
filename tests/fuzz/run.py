"""Feed mutated bytes to a reader: `python -m tests.fuzz.run csv --seconds 300`.

What goes wrong is written to the current folder as `crash-...`, `timeout-...` or
`oom-...`; `python -m tests.fuzz.run csv crash-...` runs it again. Make it a test.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

PACKAGES = ["fer_sklearn", "python_multipart", "PIL"]


def main():
    """Run one target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", help="a function of targets.py: model, csv, ...")
    parser.add_argument("files", nargs="*", help="inputs to run instead of mutating")
    parser.add_argument("--seconds", type=int, default=300)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    # Only code that is imported in here is watched for new paths.
    with atheris.instrument_imports(include=PACKAGES):
        from . import targets

        target, seeds = getattr(targets, args.target)()
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={args.seconds}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=65536",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *(args.files or [str(corpus)]), *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
