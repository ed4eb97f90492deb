"""Two people and what they say to each other."""

from ws import Chat


def members(one, other):
    """Ann on one server and Bob on the other, perhaps the same: each with a socket in a room of Ann's."""
    ann, bob = one.user("ann"), other.user("bob")
    room = ann.create_room("General")
    bob.join(room)
    return Chat(ann, room), Chat(bob, room)


def talk(one, two):
    """Each reads what the other says."""
    for speaker, listener, text in ((one, two, "are you there?"), (two, one, "I am")):
        said = speaker.say(text)
        assert listener.until("chat_message", id=said)["content"] == text
