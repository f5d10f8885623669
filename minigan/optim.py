r"""Chapter 4. Three optimisers, each a line-by-line reading of its paper.

All of them see one flat array of parameters and its gradient $g = \partial L/\partial\theta$,
and all of them descend: `step` changes `theta` in place. What an optimiser remembers
(its averages, the step count t) is what `state` returns and `load_state` takes back.
"""

from collections.abc import Callable

from .arrays import Array, array_namespace, copied
from .errors import MiniganError, real_number


class Optimizer:
    r"""What the three have in common: a learning rate, and a memory that starts at zero.

    A subclass adds `update(theta, g)`, which moves theta in place, and names its averages.
    """

    slots: tuple[str, ...] = ()  # the names of the averages, each an array like theta
    update: Callable[[Array, Array], None]

    def __init__(self, lr: float, **rates: float):
        self.lr = real_number("lr", lr, "(0, inf)")
        for name, rate in rates.items():
            setattr(self, name, real_number(name, rate, "[0, 1)"))
        self.t = 0

    def step(self, theta: Array, dtheta: Array) -> None:
        r"""Move `theta` (n,) in place, one step against its gradient `dtheta` (n,)."""
        xp = array_namespace(theta, dtheta)
        if theta.shape != dtheta.shape:
            raise MiniganError(f"dtheta: expected shape {theta.shape}, got {dtheta.shape}")
        if self.t == 0:
            for slot in self.slots:
                setattr(self, slot, copied(xp.zeros_like(theta)))
        self.t += 1
        self.lr = float(self.lr)  # a NumPy float64 would make float32 arrays double
        self.update(theta, dtheta)

    def state(self) -> dict:
        r"""What must be kept to go on later: t, and after the first step the averages."""
        return {"t": self.t} | {slot: copied(getattr(self, slot)) for slot in self._averages()}

    def load_state(self, state: dict) -> None:
        r"""Go on from a `state`, its arrays being in the library of theta."""
        self.t = state["t"]
        for slot in self._averages():
            setattr(self, slot, copied(state[slot]))

    def _averages(self):
        return self.slots if self.t else ()

    def settings(self):
        r"""{name: value} of the numbers that the optimiser was made with."""
        return {k: v for k, v in vars(self).items() if k != "t" and k not in self.slots}

    def __repr__(self):
        settings = ", ".join(f"{name}={value:g}" for name, value in self.settings().items())
        return f"{type(self).__name__}({settings}), {self.t:,} steps taken"


class SGD(Optimizer):
    r"""Gradient descent with momentum.

    (16) $v \leftarrow \mu v - \epsilon g, \qquad \theta \leftarrow \theta + v$

    Source: Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization
    and momentum in deep learning, equations 1 and 2. ε is `lr`, μ is `momentum`.
    """

    slots = ("v",)

    def __init__(self, lr: float = 0.01, momentum: float = 0.0):
        super().__init__(lr, momentum=momentum)

    def update(self, theta, g):
        self.v *= self.momentum
        self.v -= self.lr * g
        theta += self.v


class RMSProp(Optimizer):
    r"""Divide each gradient by a running root mean square of itself.

    (17) $v \leftarrow \rho v + (1 - \rho) g^2, \qquad
    \theta \leftarrow \theta - \eta\,g/(\sqrt v + \epsilon)$

    Source: Tieleman & Hinton (2012), Neural networks for machine learning, lecture 6.5.
    η is `lr`. ε keeps a gradient that has always been zero from dividing by zero.
    """

    slots = ("v",)

    def __init__(self, lr: float = 1e-3, rho: float = 0.9, eps: float = 1e-8):
        super().__init__(lr, rho=rho)
        self.eps = real_number("eps", eps, "[0, inf)")

    def update(self, theta, g):
        xp = array_namespace(theta)
        self.v *= self.rho
        self.v += (1 - self.rho) * g * g
        theta -= self.lr * g / (xp.sqrt(self.v) + self.eps)


class Adam(Optimizer):
    r"""Adaptive moment estimation.

    (18) $m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
    v \leftarrow \beta_2 v + (1 - \beta_2) g^2$

    (18a) $\hat m = m/(1 - \beta_1^t), \qquad \hat v = v/(1 - \beta_2^t)$

    (18b) $\theta \leftarrow \theta - \alpha\,\hat m/(\sqrt{\hat v} + \epsilon)$

    Both averages start at zero and so are too small at first, by exactly $1 - \beta^t$:
    with a constant g, $m = (1 - \beta)(1 + \beta + \dots + \beta^{t-1})\,g = (1 - \beta^t)\,g$.

    The code keeps the sums without their factors, $M = m/(1 - \beta_1)$ and
    $V = v/(1 - \beta_2)$, which saves one pass over memory for each:

    (18c) $M \leftarrow \beta_1 M + g, \quad V \leftarrow \beta_2 V + g^2$

    Then $\hat m = aM$ and $\hat v = cV$ with two numbers a and c.

    They are $a = (1 - \beta_1)/(1 - \beta_1^t)$ and
    $c = (1 - \beta_2)/(1 - \beta_2^t)$, and (18b) becomes

    $$\theta \leftarrow \theta
      - \frac{\alpha a}{\sqrt c}\,\frac{M}{\sqrt V + \epsilon/\sqrt c}$$

    Source: Kingma & Ba (2015), Adam, algorithm 1. α is `lr`.
    """

    slots = ("M", "V")

    def __init__(
        self, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ):
        super().__init__(lr, beta1=beta1, beta2=beta2)
        self.eps = real_number("eps", eps, "[0, inf)")

    def rates(self):
        r"""The two numbers of the last line, $\alpha a/\sqrt c$ and $\epsilon/\sqrt c$."""
        a = (1 - self.beta1) / (1 - self.beta1**self.t)
        c = (1 - self.beta2) / (1 - self.beta2**self.t)
        return self.lr * a / c**0.5, self.eps / c**0.5

    def update(self, theta, g):
        rate, eps = self.rates()
        self.M *= self.beta1
        self.M += g
        self.V *= self.beta2
        self.V += g * g
        step = rate * self.M
        step /= array_namespace(theta).sqrt(self.V) + eps
        theta -= step
