"""What a chat of a million connections and more would take, by the unit costs that docs/bench/ has: the tables and the plot of
docs/scale.md, which are made anew with every full run. What the page says besides is written by people and kept."""

import dataclasses
import json
import re

import several_nodes
import plots
import serving
import table

# Who talks: assumptions of the model, named as such on the page.
ROOM = 10             # members of a room, connected; each connection in one room
POSTS_A_MINUTE = 1    # of a connection
STAY_S = 1800         # of a connection
ON_NODE = 250_000     # connections of a node
GATEWAYS = 4          # threads of it
DATABASE_SHARE = 0.5  # of what one PostgreSQL was measured to take: peaks, vacuum, backups
# Bytes of PostgreSQL for a post of 128 characters, by pg_total_relation_size() of 300,000 of them in 1,000 rooms: its row,
# and its key, which is kept for store.key_ttl, a day.
ROW_BYTES, KEY_BYTES = 358, 331
HOST_BYTES = 1 << 30

# What is built, by names in the sources.
BOUNDS = (("CF_NODES_MAX", "base/model_limits.h"), ("CF_GATEWAYS_MAX", "base/model_limits.h"),
          ("CF_LOBBY_AWAY_MAX", "actors/lobby.h"))
SIZES = (10 ** 6, 10 ** 7, 10 ** 8)
TABLES = "## The figures"
PLOT = "scale"


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of one each, CPU in us; measured."""
    post: float        # stored and acknowledged, with one copy
    copy: float        # each further copy
    crossing: float    # a message between nodes, both ends of the link
    elsewhere: float   # the same with all that one more node does for a post: its wake-ups, its gateway, sends that do not gather
    crossing_bytes: float
    connect: float
    link_us_a_s: float  # at one end of a link, in a second in which nobody says anything
    connection_kib: float
    room_kib: float
    room_us: float      # to activate one
    connects_a_s: float  # that a node takes
    stored_a_s: float    # posts that one PostgreSQL was seen to store


def part(folder, name):
    return json.loads((folder / "bench" / f"{name}.json").read_text())["raw"]


def read_costs(folder):
    """Of what was measured last."""
    durable, idle = part(folder, "P"), part(folder, "D")["confab"]
    far = part(folder, "nodes-cross")["C10-cross"]
    crossed = {what: sum(sum(report["crossed"][what]) for report in far) for what in ("messages", "bytes")}
    link = next(case for case in part(folder, "nodes-link")["cases"] if case["turn"] == 1 and case["in_flight"] > 1)
    rooms, grown = part(folder, "R"), part(folder, "nodes-growth")
    few, many = grown["C10-1"], grown[f"C10-{several_nodes.NODES}"]
    more = (several_nodes.median_cost(many) - several_nodes.median_cost(few)) * ROOM  # of a post
    return Costs(post=durable["PostgreSQL, 10,000 a second"]["cpu_us_per_delivery"],
                 copy=part(folder, "C10")["confab"]["cpu_us_per_delivery"], crossing=link["cpu_us"],
                 elsewhere=max(link["cpu_us"], more / several_nodes.for_a_post(many, "messages")),
                 crossing_bytes=crossed["bytes"] / crossed["messages"], connect=idle["connect_cpu_us"],
                 link_us_a_s=part(folder, "nodes-idle")["link_cpu_ms"] * 1e3,
                 connection_kib=(idle["rss_kib"][-1] - idle["rss_before_kib"]) / idle["ready"],
                 room_kib=rooms["room_kib"], room_us=rooms["room_cpu_ms"] * 1e3,
                 connects_a_s=idle["ready"] / idle["connect_s"],
                 stored_a_s=durable["PostgreSQL, 8 in flight each"]["acked_per_s"])


def bound(name, path):
    text = (serving.ROOT / path).read_text()
    return int(re.search(rf"^#define {name} (\d+)", text, re.M)[1])


# ---- the model

def others_told(count):
    """Nodes, but for the room's own, that a post has to be told to when its room's members are anywhere."""
    return (count - 1) * (1 - (1 - 1 / count) ** ROOM)


def reckon(connections, costs):
    """name -> figure."""
    count = -(-connections // ON_NODE)
    rooms = connections / ROOM
    posts = connections * POSTS_A_MINUTE / 60
    comes = connections / STAY_S
    # There and back for a poster elsewhere; the event to each node. What confirms events comes once for many.
    messages = posts * (2 * (count - 1) / count + others_told(count))
    talk, crossing = posts * (costs.post + (ROOM - 1) * costs.copy) / 1e6, messages * costs.crossing / 1e6
    links = count * (count - 1) // 2
    return {
        "nodes": count, "gateways": count * GATEWAYS, "links": links, "rooms": rooms,
        "posts": posts, "copies": posts * ROOM, "messages": messages, "mb": messages * costs.crossing_bytes / 1e6,
        "told": others_told(count),
        "talk": talk, "crossing": crossing, "elsewhere": messages * costs.elsewhere / 1e6, "connects": comes * costs.connect / 1e6,
        "idle": 2 * links * costs.link_us_a_s / 1e6,
        "memory": (connections * costs.connection_kib + rooms * costs.room_kib) * 1024 / HOST_BYTES,
        "databases": max(1, -(-posts // (costs.stored_a_s * DATABASE_SHARE))),
        "day": posts * 86400 * ROW_BYTES / 1e9, "keys": posts * 86400 * KEY_BYTES / 1e9,
        "counts": 2 * comes * (count - 1), "away": rooms * (count - 1) / count, "beats": count, "views": count * count,
        "reopened": rooms / count, "reopened_s": rooms / count / max(1, count - 1) * costs.room_us / 1e6,
        "back_s": ON_NODE / max(1, count - 1) / costs.connects_a_s,
    }


ROWS = (
    ("nodes", "nodes", ",.0f"), ("gateway threads", "gateways", ",.0f"), ("links", "links", ",.0f"), ("rooms", "rooms", ",.0f"),
    ("posts/s", "posts", ",.0f"), ("copies/s", "copies", ",.0f"), ("nodes that a post is told to, but for its own", "told", ".2f"),
    ("messages between nodes/s", "messages", ",.0f"), ("of these MB/s", "mb", ",.0f"),
    ("processors for posts and copies", "talk", ",.1f"), ("for what crosses, the links alone", "crossing", ",.2f"),
    ("the same with all that more nodes do for a post, as three did on one processor", "elsewhere", ",.2f"),
    ("for connects", "connects", ",.2f"), ("for links at rest", "idle", ",.2f"),
    ("memory of all nodes, GiB", "memory", ",.0f"),
    ("PostgreSQL servers for posts", "databases", ",.0f"), ("rows of posts a day, GB", "day", ",.0f"),
    ("keys that are kept, GB", "keys", ",.0f"),
    ("counts of rooms that lobbies tell each other/s", "counts", ",.0f"),
    ("rooms elsewhere that each lobby knows", "away", ",.0f"),
    ("heartbeats/s, and rows that they bring", "views", ",.0f"),
    ("rooms of a node that dies", "reopened", ",.0f"), ("s of a processor at each other node to open them", "reopened_s", ",.2f"),
    ("s until its clients are back, at the others' rate of connects", "back_s", ",.1f"),
)


def tables(costs):
    """The generated part of the page, from its heading on."""
    measured = [("unit cost", "is", "from"),
                ("a post stored and acknowledged, with one copy", f"{costs.post:.1f} us", "P, 10,000 a second on PostgreSQL"),
                ("each further copy", f"{costs.copy:.2f} us", "C10"),
                ("a message between nodes, both ends", f"{costs.crossing:.2f} us", "nodes-link, many in flight"),
                ("the same with all that one more node does for a post", f"{costs.elsewhere:.2f} us", "nodes-growth, C10"),
                ("its bytes", f"{costs.crossing_bytes:.0f}", "nodes-cross, C10"),
                ("a connect", f"{costs.connect:.0f} us", "D"), ("connects/s of a node", f"{costs.connects_a_s:,.0f}", "D"),
                ("one end of a link at rest", f"{costs.link_us_a_s:,.0f} us/s", "nodes-idle"),
                ("a connection", f"{costs.connection_kib:.2f} KiB", "D"), ("a room", f"{costs.room_kib:.2f} KiB", "R"),
                ("to open a room", f"{costs.room_us:.0f} us", "R"),
                ("posts/s that one PostgreSQL stores", f"{costs.stored_a_s:,.0f}", "P"),
                ("a row of 128 characters; its key", f"{ROW_BYTES} B; {KEY_BYTES} B", "pg_total_relation_size()")]
    figures = [reckon(size, costs) for size in SIZES]
    rows = [("connections", *(f"{size // 10 ** 6} million" for size in SIZES))]
    rows += [(label, *(format(one[name], pattern) for one in figures)) for label, name, pattern in ROWS]
    built = [(f"`{name}`", f"{bound(name, path):,}", f"`{path}`") for name, path in BOUNDS]
    return [TABLES, "", "Made by `./dev bench full` of what [bench.md](bench.md) has.", "", *table.markdown(measured), *table.markdown(rows),
            f"![What it takes](bench/{PLOT}.svg)", "", *table.markdown([("bound, as built", "is", "in"), *built])]


def page(text, costs):
    """The page with its generated part anew."""
    made = "\n".join(tables(costs))
    return re.sub(rf"^{re.escape(TABLES)}\n.*?(?=^## |\Z)", lambda _: made + "\n", text, flags=re.M | re.S)


def draw(folder, costs):
    sizes = [each * power for power in SIZES for each in (1, 2, 5)][:7]
    figures = [(size, reckon(size, costs)) for size in sizes]
    panels = [("processors", {label: [(size, one[name]) for size, one in figures] for label, name in
                              (("posts and copies", "talk"), ("links alone", "crossing"), ("as 3 nodes on 1", "elsewhere"),
                               ("links at rest", "idle"))}),
              ("how many", {label: [(size, one[name]) for size, one in figures] for label, name in
                            (("nodes", "nodes"), ("links", "links"), ("PostgreSQL servers", "databases"))}),
              ("a second", {label: [(size, one[name]) for size, one in figures] for label, name in
                            (("posts", "posts"), ("messages between nodes", "messages"), ("counts between lobbies", "counts"))})]
    plots.draw(folder / "bench" / f"{PLOT}.svg", "What so many connections take", "connections", panels)


def write(folder):
    """Makes the page's figures anew, if all they are made of was measured."""
    path = folder / "scale.md"
    try:
        costs = read_costs(folder)
    except FileNotFoundError:
        return
    if path.exists():
        path.write_text(page(path.read_text(), costs))
        draw(folder, costs)
