"""The package, as cpack made it (./dev package). As root, in a network namespace of its own, with build/debian there
(tests/package/prepare):

    /usr/bin/python3 -m pytest tests/package"""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import debian  # noqa: E402
import rest  # noqa: E402
import ws  # noqa: E402


@pytest.fixture(scope="session")
def package():
    found = sorted((debian.ROOT / "build/package").glob("confab_*.deb"))
    assert len(found) == 1, f"built by ./dev package: {found}"
    return found[0]


@pytest.fixture
def machine(tmp_path):
    made = debian.Machine(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def booted(tmp_path_factory, package):
    """One that runs systemd, on which the package was installed then."""
    made = debian.Machine(tmp_path_factory.mktemp("booted"))
    try:
        try:
            made.boot()
        except debian.Cannot as reason:
            pytest.skip(str(reason))
        made.install(package)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def chat():
    """chat(port): two people meet in a room, one talks, the other hears it, history has it. Their names are new each time."""
    count = 0

    def play(port=8080):
        nonlocal count
        count += 1
        ann, bob = rest.Client(port), rest.Client(port)
        for client, name in ((ann, f"ann{count}"), (bob, f"bob{count}")):
            client.register(name)
            client.login(name)
        room = ann.create_room()
        bob.join(room)
        hers, his = ws.Chat(ann, room), ws.Chat(bob, room)
        said = hers.say("do you read me, bob?")
        assert his.until("chat_message", id=said)["content"] == "do you read me, bob?"
        assert [one["id"] for one in bob.messages(room)] == [said]
        return ann, room, said
    return play
