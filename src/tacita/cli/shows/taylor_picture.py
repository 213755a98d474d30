"""The stability region of Taylor rules: spectral radius, the corrected boundary and the printed one."""

import io
from pathlib import Path

import numpy as np

from tacita.node import files
from tacita.protocols.policies.interest_rate.corrections import MODEL
from tacita.protocols.policies.interest_rate.economy import Rule, closed_loop, region, spectral_radius

STEPS = 181
STABLE = "#cfe0f3"
PANELS = (((0.0, 6.0), (-3.0, 11.0)), ((0.0, 110.0), (-3.0, 16.0)))
"""(φ_π, φ_y) ranges: the usual one, and one in which print and correction come apart."""


def save_region(path: Path) -> None:
    """Write the PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for axis, (across, up) in zip(axes, PANELS, strict=True):
        phi_pi, phi_y = np.linspace(*across, STEPS), np.linspace(*up, STEPS)
        radius = [[spectral_radius(*closed_loop(*MODEL, Rule(y, x))) for x in phi_pi] for y in phi_y]
        axis.contourf(phi_pi, phi_y, radius, levels=[0, 1, 1e9], colors=[STABLE, "#ffffff"])
        low, high = np.array([region(*MODEL, x) for x in phi_pi]).T
        inside = (phi_pi > 1) & (low < high)
        for line in (low, high):
            axis.plot(phi_pi[inside], line[inside], color="#1f5fa8", lw=2, label="corrected" if line is low else None)
        axis.vlines(1, float(low[inside][0]), float(high[inside][0]), color="#1f5fa8", lw=2)
        printed = [0.1 * phi_pi - 2.1, 0.06 * phi_pi + 8.5]
        for line in printed:
            axis.plot(phi_pi, line, color="#c25b12", lw=1.4, ls="--", label="printed" if line is printed[0] else None)
        axis.set_xlim(*across)
        axis.set_ylim(*up)
        axis.set_xlabel("response to inflation φ_π")
        axis.grid(alpha=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("response to the output gap φ_y")
    handles, _ = axes[0].get_legend_handles_labels()
    handles.append(Patch(facecolor=STABLE, edgecolor="#9ab8d8", label="spectral radius below 1"))
    axes[0].legend(handles=handles, fontsize=9, loc="center right")
    for point, name in (((30, 0.95), "(30, 0.95)"), ((100, 14.2), "(100, 14.2)")):
        axes[1].plot(*point, "o", color="#111", ms=5)
        axes[1].annotate(name, point, xytext=(-8, 8), textcoords="offset points", fontsize=9, ha="right")
    axes[0].set_title("Rules in use", fontsize=11)
    axes[1].set_title("Two rules that the print calls stable", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    pyplot.close(figure)
    files.write(path, buffer.getvalue())
