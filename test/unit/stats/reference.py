"""Writes reference.json: chains, and what ArviZ, SciPy, NumPy and mpmath say of them.

    python -m venv v && v/bin/pip install arviz==0.23.4 numpy==2.4.6 scipy==1.17.1 mpmath==1.3.0 && v/bin/python reference.py
"""

import json
import pathlib
import warnings

import arviz
import mpmath
import numpy as np
import scipy
from scipy import linalg, stats

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261122)


def ar1(chains, draws, rho):
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for t in range(1, draws):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return x


CHAINS = {
    "independent": rng.normal(size=(4, 100)),
    "autocorrelated, odd length": ar1(4, 121, 0.7),
    "antithetic": ar1(4, 100, -0.6),
    "one chain shifted": rng.normal(size=(3, 80)) + np.array([[0.0], [0.0], [1.0]]),
    "one chain wider": rng.normal(size=(4, 80)) * np.array([[1.0], [1.0], [1.0], [4.0]]),
    "Cauchy": rng.standard_cauchy(size=(4, 80)),
    "ties": np.round(ar1(4, 80, 0.5), 1),
    "random walk": np.cumsum(rng.normal(size=(2, 100)), axis=1),
    "gamma": rng.gamma(3.0, size=(4, 60)),
    "few draws": rng.normal(size=(4, 6)),
}


def yule_walker_spectrum(x):
    """S(0) of the Yule-Walker autoregression of least AIC, as R's ar.yw and coda's spectrum0.ar; orders to n // 2."""
    n = len(x)
    c = x - x.mean()
    gamma = np.array([c[lag:] @ c[: n - lag] for lag in range(n)]) / n
    best = None
    for order in range(min(n // 2, int(np.floor(10 * np.log10(n)))) + 1):
        phi = linalg.solve_toeplitz(gamma[:order], gamma[1 : order + 1]) if order else np.zeros(0)
        v = gamma[0] - phi @ gamma[1 : order + 1]
        aic = n * np.log(v) + 2 * order
        if best is None or aic < best[0]:
            best = (aic, v * n / (n - order - 1) / (1 - phi.sum()) ** 2)
    return best[1]


def geweke(x):
    a, b = x[: len(x) // 10], x[len(x) - len(x) // 2 :]
    return (a.mean() - b.mean()) / np.sqrt(yule_walker_spectrum(a) / len(a) + yule_walker_spectrum(b) / len(b))


def chain_case(name, x):
    x = np.round(x, 4)
    return {
        "name": name,
        "chains": x.tolist(),
        "rHat": float(arviz.rhat(x, method="rank")),
        "splitRHat": float(arviz.rhat(x, method="split")),
        "essBulk": float(arviz.ess(x, method="bulk")),
        "essTail": float(arviz.ess(x, method="tail")),
        "ess": float(arviz.ess(x, method="mean")),
        "mcse": float(arviz.mcse(x, method="mean")),
        "geweke": [float(geweke(row)) for row in x] if x.shape[1] >= 40 else None,
    }


x = np.round(rng.normal(size=25), 1)
y = np.round(0.5 * x + rng.normal(size=25), 1)
fit = stats.linregress(x, y)
z = [-37.0, -20.0, -9.5, -7.0711, -7.0710, -5.0, -2.5, -1.0, -0.1, 0.0, 0.3, 1.959964, 4.0, 8.0]
p = [1e-300, 1e-100, 1e-20, 1e-10, 1e-5, 0.001, 0.025, 0.0749, 0.0751, 0.3, 0.5, 0.7, 0.925, 0.99, 1 - 1e-10]
reference = {
    "madeBy": f"reference.py with arviz {arviz.__version__}, scipy {scipy.__version__}, numpy {np.__version__}, mpmath {mpmath.__version__}",
    "chains": [chain_case(name, value) for name, value in CHAINS.items()],
    "normalCdf": [[v, float(mpmath.ncdf(v))] for v in z],
    "normalQuantile": [[v, float(stats.norm.ppf(v))] for v in p],
    "pairs": {
        "x": x.tolist(),
        "y": y.tolist(),
        "slope": float(fit.slope),
        "intercept": float(fit.intercept),
        "slopeSe": float(fit.stderr),
        "rSquared": float(fit.rvalue**2),
        "pearson": float(stats.pearsonr(x, y).statistic),
        "spearman": float(stats.spearmanr(x, y).statistic),
        "quantiles": [[q, float(np.quantile(x, q))] for q in (0.0, 0.05, 0.25, 0.5, 0.9, 1.0)],
        "variance": float(np.var(x, ddof=1)),
    },
}
pathlib.Path(__file__).with_name("reference.json").write_text(json.dumps(reference))
