"""Requests that are drawn from the service's own OpenAPI, and from beside it."""

import os
import subprocess
import sys

import pytest
from serving_helpers import serving

pytest.importorskip("schemathesis", reason="needs schemathesis")

EXAMPLES = os.environ.get("FER_SKLEARN_FUZZ_EXAMPLES", "5")


@pytest.mark.parametrize("token", [None, "secret"], ids=["open", "token"])
def test_fuzzing_finds_nothing(pipe, tmp_path, token):
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run"),
        *("--max-examples", EXAMPLES, "--seed", "0", "--no-color"),
        *("--request-timeout", "20", "--max-time", "20"),
        *("--suppress-health-check", "all", "--generation-database", "none"),
        # A schema cannot say which bytes are a picture, so what it allows may be
        # refused.
        *("--exclude-checks", "positive_data_acceptance"),
    ]
    if token is not None:
        command += ["--header", f"Authorization: Bearer {token}"]
    with serving(pipe, detect=None, token=token) as client:
        address = client.base_url.join("openapi.json")
        found = subprocess.run(
            [*command, str(address)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
        assert client.get("/health").status_code == 200
    summary = found.stdout[found.stdout.rfind("= FAILURES =") :]
    assert found.returncode == 0, f"{summary[:3000]}\n...\n{found.stdout[-2000:]}"
    assert "4 selected / 4 total" in found.stdout
