"""predict_file on worker processes."""

import os
import signal
import threading

import pandas as pd
import pytest
from brightness_model import BrightnessModel, noted
from distributed_helpers import wait_for

from fer_sklearn import make_faces, predict_file
from fer_sklearn.distributed import dask_cluster
from fer_sklearn.exceptions import PixelStringError


@pytest.fixture(scope="module")
def table():
    """300 synthetic faces, in chunks of 16 rows 19 of them."""
    return pd.DataFrame(
        {"pixels": make_faces(300, image_shape=(16, 16), random_state=0).data}
    )


@pytest.fixture
def source(table, tmp_path):
    path = tmp_path / "faces.csv"
    table.to_csv(path, index=False)
    return path


def predict(model, source, out, address):
    with dask_cluster(address, timeout=60) as client:
        return predict_file(model, source, out, chunk_size=16, client=client)


def test_workers_write_the_same(address, source, tmp_path):
    arrivals = tmp_path / "arrivals"
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    predict_file(BrightnessModel(), source, here, chunk_size=16)
    log = tmp_path / "log"
    model = BrightnessModel(str(log), seconds=0.05, arrivals=str(arrivals))
    assert predict(model, source, there, address) == 300
    assert here.read_text() == there.read_text()
    workers = set(noted(log))
    assert os.getpid() not in workers and len(noted(log)) == 19
    # Nineteen chunks; the model was unpickled once in each process.
    assert len(noted(arrivals)) == len(set(noted(arrivals)))
    assert workers <= set(noted(arrivals))


def test_worker_killed_while_predicting(address, source, tmp_path):
    here, there, log = tmp_path / "here.csv", tmp_path / "there.csv", tmp_path / "log"
    predict_file(BrightnessModel(), source, here, chunk_size=16)

    def kill():
        os.kill(wait_for(lambda: noted(log)[4:5])[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    predict(BrightnessModel(str(log), seconds=0.2), source, there, address)
    killer.join()
    assert here.read_text() == there.read_text()
    assert len(noted(log)) > 19, "the chunk that was interrupted was repeated"


def test_bad_row_on_workers_is_named(address, table, tmp_path):
    table = table.copy()
    table.loc[211, "pixels"] = "1 2 3"
    source, out = tmp_path / "faces.csv", tmp_path / "out.csv"
    table.to_csv(source, index=False)
    with pytest.raises(PixelStringError, match=r"Row 211 of .* has 3 grey levels") as e:
        predict(BrightnessModel(), source, out, address)
    assert (e.value.row, e.value.reason[:17]) == (211, "has 3 grey levels")
    assert not out.exists()
