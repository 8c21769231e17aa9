"""Grid search on two processes."""

from sklearn.model_selection import GridSearchCV, StratifiedKFold

from fer_sklearn import make_fer_pipeline

from ._faces import face_strings, kind_of_faces
from ._timing import speed_up

N_FACES = 4000
LEARNING_RATES = [0.01, 0.03, 0.1, 0.3]
N_FOLDS = 2


def search(n_jobs, n_faces=N_FACES):
    """Give a function that runs the whole search, from pixel strings to scores."""
    strings, emotions = face_strings(n_faces)
    grid_search = GridSearchCV(
        make_fer_pipeline("nano", max_epochs=1, random_state=0),
        {"cnn__lr": LEARNING_RATES},
        cv=StratifiedKFold(N_FOLDS, shuffle=True, random_state=0),
        refit=False,
        n_jobs=n_jobs,
        error_score="raise",
    )
    return lambda: grid_search.fit(strings, emotions).cv_results_["mean_test_score"]


def rows(rounds):
    """Compare n_jobs=2 with n_jobs=1, both with one thread a fit."""
    alone, both = search(n_jobs=1), search(n_jobs=2)
    if alone().tolist() != both().tolist():
        raise AssertionError("n_jobs=2 gives other scores than n_jobs=1")
    n_trained_on = len(LEARNING_RATES) * (N_FOLDS - 1) * N_FACES
    yield speed_up(
        f"`GridSearchCV(n_jobs=2)`, {len(LEARNING_RATES)} candidates x {N_FOLDS} folds "
        f"of {N_FACES:,} faces, one thread per fit, the same scores",
        "`n_jobs=1`",
        both,
        alone,
        rounds=rounds,
        items=n_trained_on,
        note=f"training faces; {kind_of_faces()}; processes already started",
    )
