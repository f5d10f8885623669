"""What Hypothesis draws: shapes from one row and one column up, scales from 1e-6 to 1e6.

Random arrays come from a NumPy generator with a drawn seed: dense numbers without
structure, reproducible from the printed seed, and never on a bend.
"""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

# of tests whose cases are many already, or take long: two fifths of what the profile says
fewer = settings(max_examples=settings().max_examples * 2 // 5)
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
scales = st.integers(-6, 6).map(lambda k: 10.0**k)
slopes = st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.99])
targets = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
hidden = st.lists(st.integers(1, 7), max_size=4).map(tuple)
EXTREME = [-800.0, -80.0, -30.0, -1e-8, -0.0, 0.0, 1e-8, 1.0, 30.0, 80.0, 800.0]


@st.composite
def normal(draw, *shape, scale=scales):
    """A float64 array of the given shape (each entry a number or a strategy)."""
    shape = tuple(draw(n) if isinstance(n, st.SearchStrategy) else n for n in shape)
    rng = np.random.default_rng(draw(seeds))
    return draw(scale) * rng.standard_normal(shape)


@st.composite
def scores(draw):
    """Scores (m, 1): ordinary ones, with extreme ones among them."""
    ordinary = draw(normal(sizes, scale=st.sampled_from([1e-6, 1.0, 10.0, 1e3])))
    extreme = draw(st.lists(st.sampled_from(EXTREME), max_size=4))
    return np.concatenate([ordinary, extreme])[:, None]
