"""An exported model that several test files share."""

import pytest
from tiny import TINY_EXPORT

from tfdivcolor import export
from tfdivcolor.export import saved_model
from tfdivcolor.settings import ExportOptions


@pytest.fixture(scope="session")
def verified(tiny, tmp_path_factory):
    """A version of the tiny model, and the session that verified it.

    A new session takes twenty seconds for the first calls.
    """
    sessions = []

    class Kept(saved_model.Servable):
        def __init__(self, path):
            super().__init__(path)
            sessions.append(self)

        def __exit__(self, *_):
            pass

    base = tmp_path_factory.mktemp("models") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "Servable", Kept)
        path = export.save(base, tiny, options=ExportOptions(**TINY_EXPORT),
                           weights="none")
    [session] = sessions
    session.path = path  # it was loaded before the folder got its name
    yield path, session
    session.close()


@pytest.fixture(scope="session")
def exported(verified):
    return verified[0]


@pytest.fixture(scope="session")
def model(verified):
    return verified[1]
