"""Plots as SVG: small, and the same bytes from the same figures."""

COLOURS = {"confab": "#c1272d", "ceiling-send": "#222222", "ceiling-coalesce": "#888888", "nginx + nchan": "#0072b2",
           "mosquitto": "#009e73", "nats-server": "#e69f00", "Node ws": "#56b4e9", "Socket.IO": "#cc79a7"}
OTHERS = ("#0072b2", "#c1272d", "#009e73", "#e69f00", "#cc79a7", "#222222")  # by turns, of who has none
WIDE = 20  # times from the least to the greatest y: then on a logarithmic scale
FEW = 200  # the same below which there are marks at two and five between the tens


def short(value, _=None):
    """10,000 as 10k."""
    size, letter = (10 ** 6, "M") if value >= 10 ** 6 else (1000, "k") if value >= 10 ** 4 else (1, "")
    return f"{value / size:.10g}{letter}"


def draw(path, title, x, panels, is_log=None):
    """panels: [(label of y, name -> [(x, y)])], side by side; is_log: the scale of x, with a mark
    for each value but where it is False; None: by its values."""
    import matplotlib  # here, as it is wanted for the full run alone
    matplotlib.use("svg")
    from matplotlib import pyplot, ticker
    matplotlib.rcParams.update({"svg.hashsalt": "confab", "svg.fonttype": "none", "font.family": "sans-serif",
                                "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False})
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.4), squeeze=False)
    for axis, (label, lines) in zip(axes[0], panels):
        values = sorted({value for line in lines.values() for value, _ in line})
        for i, (name, line) in enumerate(lines.items()):
            is_ours, is_loop = name == "confab", name.startswith("ceiling")
            axis.plot(*zip(*line), label=name, color=COLOURS.get(name, OTHERS[i % len(OTHERS)]), linewidth=2.2 if is_ours else 1.2,
                      linestyle="--" if is_loop else "-", marker="o" if is_ours else "", markersize=4,
                      zorder=3 if is_ours else 2)
        if is_log or (is_log is None and values[-1] > 4 * values[0]):
            axis.set_xscale("log")
        if is_log is not False:
            axis.set_xticks(values, [short(value) for value in values])
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        heights = [height for line in lines.values() for _, height in line]
        if min(heights) > 0 and max(heights) > WIDE * min(heights):
            axis.set_yscale("log")
            # Tens alone would leave what spans few of them with hardly a number.
            axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if max(heights) < FEW * min(heights) else (1,)))
            axis.yaxis.set_minor_locator(ticker.NullLocator())
        else:
            axis.set_ylim(0, 1.05 * max(heights))  # the greatest mark is not cut in half
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(short))
        axis.set_xlabel(x)
        axis.set_ylabel(label)
        axis.grid(axis="y", linewidth=0.4, color="#cccccc")
    figure.suptitle(title)
    shown = dict(zip(*reversed(axes[0][0].get_legend_handles_labels())))
    is_same = all(set(shown) == set(lines) for _, lines in panels)
    for axis in () if is_same else axes[0]:
        axis.legend(frameon=False, fontsize=7)
    names, handles = (list(shown), list(shown.values())) if is_same else ([], [])
    figure.legend(handles, names, loc="lower center", ncol=max(1, min(len(names), 5)), frameon=False)
    figure.tight_layout(rect=(0, 0.06 * (1 + (len(names) - 1) // 5), 1, 1))
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
