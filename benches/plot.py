"""Line charts as SVG, in plain text."""

import math

WIDTH, HEIGHT = 330, 260
LEFT, RIGHT, TOP, BOTTOM = 45, 15, 40, 50
# Told apart without colours too, and seen on white and on black.
STYLES = {"floor": ("#888888", "2 4"), "siproxd": ("#1f77d0", ""), "rtpengine": ("#d9722e", "7 4")}


def ticks(values, logarithmic):
    """Where lines go across: at round distances from zero on, or at powers of ten."""
    top = max(values, default=1) or 1
    if logarithmic:
        bottom = math.floor(math.log10(max(min(values, default=1), 1)))
        return [10.0**power for power in range(bottom, max(math.ceil(math.log10(top)), bottom + 1) + 1)]
    raw = top / 4
    power = 10 ** math.floor(math.log10(raw))
    unit = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return [number * unit for number in range(math.ceil(top / unit) + 1)]


def panel(at, title, xs, series):
    """One chart; `series` has the values of each line, `None` where there is none. The horizontal axis is logarithmic."""
    logarithmic = title.endswith("logarithmic")
    lines_at = ticks([value for values in series.values() for value in values if value is not None], logarithmic)
    scale = math.log10 if logarithmic else float
    low, high = scale(lines_at[0]), scale(lines_at[-1])
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    span = math.log(xs[-1] / xs[0]) or 1

    def x(value):
        return at + LEFT + inner_width * math.log(value / xs[0]) / span

    def y(value):
        return TOP + inner_height * (1 - (scale(max(value, lines_at[0])) - low) / (high - low))

    lines = [f'<text x="{at + WIDTH / 2:.0f}" y="18" text-anchor="middle">{title}</text>']
    for value in lines_at:
        lines.append(f'<path d="M{at + LEFT} {y(value):.1f}H{at + WIDTH - RIGHT}" stroke="#888888" stroke-opacity=".3"/>')
        lines.append(f'<text x="{at + LEFT - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in xs:
        lines.append(f'<text x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value}</text>')
    for name, values in series.items():
        colour, dashes = STYLES[name]
        points = " ".join(f"{x(count):.1f},{y(value):.1f}" for count, value in zip(xs, values) if value is not None)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>')
    return lines


def chart(xs, panels):
    """The panels side by side, with one legend."""
    width = WIDTH * len(panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="12" fill="#888888">'
    ]
    for number, (title, series) in enumerate(panels):
        lines += panel(number * WIDTH, title, xs, series)
    x = LEFT
    for name in panels[0][1]:
        colour, dashes = STYLES[name]
        lines.append(f'<path d="M{x} {HEIGHT - 12}h30" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>')
        lines.append(f'<text x="{x + 36}" y="{HEIGHT - 8}">{name}</text>')
        x += 120
    lines.append(f'<text x="{width - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">calls of 50 packets/s each way</text>')
    return "\n".join([*lines, "</svg>", ""])
