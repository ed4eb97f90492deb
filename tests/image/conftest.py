"""The image that docker/build has made: ./dev image, or

    tests/support/with_postgres /usr/bin/python3 -m pytest tests/image"""

import functools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
pytest.register_assert_rewrite("fixtures", "image", "talking")

from fixtures import *  # noqa: E402, F401, F403

from container import Container  # noqa: E402
from image import Image  # noqa: E402


@pytest.fixture(scope="session")
def image():
    return Image()


@pytest.fixture(scope="session")
def root(image, tmp_path_factory):
    """What it holds, unpacked."""
    return image.unpack(tmp_path_factory.mktemp("root"))


@pytest.fixture
def make_container(make_one, image, root, store):
    """Makes servers in the image on the test's store, judged as all are."""
    if store.name == "sqlite":
        store.url = "sqlite:/data/confab.db"
    return functools.partial(make_one, kind=functools.partial(Container, image, root))


@pytest.fixture
def container(make_container):
    """One that serves."""
    return make_container().start()
